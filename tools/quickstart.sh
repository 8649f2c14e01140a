#!/usr/bin/env bash
# From nothing to trained, evaluated and drawn depth networks.
#
#   bash tools/quickstart.sh               the whole of SCD on the demo world, which it renders: a
#                                          semantic teacher, a baseline, SCD, both judged on clean
#                                          and corrupted streets; nothing is downloaded but Python
#                                          packages
#   bash tools/quickstart.sh --baseline    the baseline alone, in half the time
#   bash tools/quickstart.sh --data DIR    the baseline on real driving video in the KITTI-raw layout
#
# Leaves work_dirs/quickstart/report.html (with --data: work_dirs/quickstart-data/report.html).
# Interrupted? Run it again: finished steps are skipped and training resumes from its checkpoint.
# Other options: --iters N (length of the trainings of depth). RESNET18_WEIGHTS names a file with
# ImageNet weights for --data; without it training starts from random weights.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

DATA=""
ITERS=""
ONLY_BASELINE=""
while [ $# -gt 0 ]; do
    case $1 in
        --data) DATA=$(cd "${2:?--data needs a folder}" && pwd); shift 2 ;;
        --iters) ITERS=${2:?--iters needs a number}; shift 2 ;;
        --baseline) ONLY_BASELINE=yes; shift ;;
        *) echo "usage: $0 [--baseline] [--data DIR] [--iters N]" >&2; exit 2 ;;
    esac
done

STARTED=$SECONDS
elapsed() { printf '%d:%02d min' $(((SECONDS - STARTED) / 60)) $(((SECONDS - STARTED) % 60)); }
DEMO=projects/demo_world
OPTIONS=()
AMP=()
CFG=()

# train CONFIG FOLDER: progress in few lines, the whole log in FOLDER/console.log
train() {
    mkdir -p "$2"
    say "training ($1); pictures appear in $2/vis ($(elapsed) so far)"
    "$PY" tools/train.py "$1" --work-dir "$2" --resume auto "${AMP[@]}" "${CFG[@]}" \
        > >(tee "$2/console.log" | "$PY" -m mmscd.utils.brief_log) 2>&1
}

last_checkpoint() {
    "$PY" -c "
import sys
from mmscd.engine import find_latest_checkpoint
print(find_latest_checkpoint(sys.argv[1]))" "$1"
}

# report CONFIG FOLDER PAGE [OPTION ...]
report() {
    local config=$1 folder=$2 page=$3
    shift 3
    say "evaluation and report ($(elapsed) so far)"
    "$PY" tools/analysis_tools/make_report.py --config "$config" --work-dir "$folder" \
        --checkpoint "$(last_checkpoint "$folder")" --out "$page" "$@" "${CFG[@]}"
    say "done in $(elapsed): open $ROOT/$page"
}

make_environment
cd "$ROOT"
# on a CPU without these instructions bfloat16 is emulated and slower than float32
if grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then AMP=(--amp); fi
if [ -n "$DATA" ]; then
    say "data: $DATA"
    mapfile -t OPTIONS < <("$PY" tools/misc/quickstart_options.py "$DATA")
    printf '  %s\n' "${OPTIONS[@]}"
fi
[ -z "$ITERS" ] || OPTIONS+=("train_cfg.max_iters=$ITERS" "train_cfg.val_interval=$ITERS")
if [ ${#OPTIONS[@]} -gt 0 ]; then CFG=(--cfg-options "${OPTIONS[@]}"); fi

if [ -n "$DATA" ]; then
    CONFIG=configs/monodepth2/monodepth2_r18_kitti-mini.py
    train $CONFIG work_dirs/quickstart-data
    report $CONFIG work_dirs/quickstart-data work_dirs/quickstart-data/report.html
    exit
fi

OUT=work_dirs/quickstart
BASELINE=$DEMO/configs/monodepth2_r18_demo.py
SCD=$DEMO/configs/scd_r18_demo.py
say "demo world: short driving videos, rendered into data/demo_world"
"$PY" $DEMO/render.py --out data/demo_world
if [ -n "$ONLY_BASELINE" ]; then
    train $BASELINE $OUT/baseline
    report $BASELINE $OUT/baseline $OUT/report.html
    exit
fi

say "semantic teacher, trained with mmsegmentation ($(elapsed) so far)"
export DEMO_TEACHER=$OUT/teacher
mkdir -p "$DEMO_TEACHER"
"$PY" $DEMO/train_teacher.py --work-dir "$DEMO_TEACHER" "${AMP[@]}" \
    > >(tee "$DEMO_TEACHER/console.log" | "$PY" -m mmscd.utils.brief_log) 2>&1
train $BASELINE $OUT/baseline
train $SCD $OUT/scd
say "clean and corrupted test streets ($(elapsed) so far)"
"$PY" tools/analysis_tools/test_robustness.py $SCD "$(last_checkpoint $OUT/scd)" --name SCD \
    --compare "Monodepth2=$BASELINE,$(last_checkpoint $OUT/baseline)" --baseline Monodepth2 \
    --corruptions dark fog snow gaussian_noise motion_blur contrast --severities 3 \
    --out $OUT/robustness
report $SCD $OUT/scd $OUT/report.html --robustness $OUT/robustness

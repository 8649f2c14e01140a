#!/usr/bin/env bash
# From nothing to a trained, evaluated and drawn depth network.
#
#   bash tools/quickstart.sh               on the demo world, which it renders; nothing is downloaded
#                                          but Python packages
#   bash tools/quickstart.sh --data DIR    on real driving video in the KITTI-raw layout
#
# Leaves work_dirs/quickstart/report.html (with --data: work_dirs/quickstart-data/report.html).
# Interrupted? Run it again: finished steps are skipped and training resumes from its checkpoint.
# Other options: --iters N (length of the training). RESNET18_WEIGHTS names a file with ImageNet
# weights for --data; without it training starts from random weights.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

DATA=""
ITERS=""
while [ $# -gt 0 ]; do
    case $1 in
        --data) DATA=$(cd "${2:?--data needs a folder}" && pwd); shift 2 ;;
        --iters) ITERS=${2:?--iters needs a number}; shift 2 ;;
        *) echo "usage: $0 [--data DIR] [--iters N]" >&2; exit 2 ;;
    esac
done

STARTED=$SECONDS
elapsed() { printf '%d:%02d min' $(((SECONDS - STARTED) / 60)) $(((SECONDS - STARTED) % 60)); }

make_environment
cd "$ROOT"
OPTIONS=()
if [ -z "$DATA" ]; then
    CONFIG=projects/demo_world/configs/monodepth2_r18_demo.py
    WORK_DIR=work_dirs/quickstart
    say "demo world: short driving videos, rendered into data/demo_world"
    "$PY" projects/demo_world/render.py --out data/demo_world
else
    CONFIG=configs/monodepth2/monodepth2_r18_kitti-mini.py
    WORK_DIR=work_dirs/quickstart-data
    say "data: $DATA"
    mapfile -t OPTIONS < <("$PY" tools/misc/quickstart_options.py "$DATA")
    printf '  %s\n' "${OPTIONS[@]}"
fi
[ -z "$ITERS" ] || OPTIONS+=("train_cfg.max_iters=$ITERS" "train_cfg.val_interval=$ITERS")

AMP=()
# on a CPU without these instructions bfloat16 is emulated and slower than float32
if grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then AMP=(--amp); fi
CFG=()
if [ ${#OPTIONS[@]} -gt 0 ]; then CFG=(--cfg-options "${OPTIONS[@]}"); fi

mkdir -p "$WORK_DIR"
say "training ($CONFIG); pictures appear in $WORK_DIR/vis"
"$PY" tools/train.py "$CONFIG" --work-dir "$WORK_DIR" --resume auto "${AMP[@]}" "${CFG[@]}" \
    > >(tee "$WORK_DIR/console.log" | "$PY" tools/misc/brief_log.py) 2>&1

say "evaluation and report"
CHECKPOINT=$("$PY" -c "
import sys
from mmscd.engine import find_latest_checkpoint
print(find_latest_checkpoint(sys.argv[1]))" "$WORK_DIR")
"$PY" tools/analysis_tools/make_report.py --config "$CONFIG" --checkpoint "$CHECKPOINT" \
    --work-dir "$WORK_DIR" --out "$WORK_DIR/report.html" "${CFG[@]}"

say "done in $(elapsed): open $ROOT/$WORK_DIR/report.html"

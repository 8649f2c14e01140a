#!/usr/bin/env bash
# The laboratory, step by step; every step goes on where it was interrupted.
#
#   bash projects/demo_world/lab.sh render     the streets, into data/demo_lab
#   bash projects/demo_world/lab.sh teacher    the semantic teacher, into work_dirs/lab_teacher
#   bash projects/demo_world/lab.sh run        all variants of lab.yml, into work_dirs/lab
#
# What follows the step goes to its tool: `render --stereo`, `run --dry-run`, `run --sets physical`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/env.sh"
make_environment
cd "$ROOT"
DEMO=projects/demo_world
AMP=()
# on a CPU without these instructions bfloat16 is emulated and slower than float32
if grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then AMP=(--amp); fi
STEP=${1:-}
shift || true
case $STEP in
    render) "$PY" $DEMO/render.py --preset lab "$@" ;;
    teacher)
        "$PY" $DEMO/train_teacher.py --config $DEMO/configs/lab_teacher_fpn_r18.py \
            --work-dir work_dirs/lab_teacher "${AMP[@]}" "$@"
        ;;
    run)
        "$PY" tools/analysis_tools/run_ablation.py --plan $DEMO/lab.yml --work-dir work_dirs/lab \
            --shared-until 1000 --severities 3 --by-corruption "${AMP[@]}" "$@"
        ;;
    *)
        echo "usage: $0 render|teacher|run [OPTION ...]" >&2
        exit 2
        ;;
esac

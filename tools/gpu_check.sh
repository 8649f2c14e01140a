#!/usr/bin/env bash
# Whether the training step is right on this machine's GPU, and what it costs: tests, then
# benchmarks, in at most eight minutes and without network.
#
#   bash tools/gpu_check.sh FOLDER [--out DIR]    on the machine with the GPU
#   bash tools/gpu_check.sh --pack FOLDER [PACKAGE ...]
#       before that, on a machine with network and the data of kitti-mini (KITTI_ROOT, MMSCD_DATA):
#       wheels of what a machine with PyTorch lacks as a rule, and of further packages; frames
#   bash tools/gpu_check.sh FOLDER --device cpu --quick    the same in small, without a GPU
#
# FOLDER is what --pack made. --out takes table.md, numbers.json, curve.png and log.txt (default
# work_dirs/gpu_check). PYTHON names another interpreter. docs/en/user_guides/speed.md explains the
# table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WHEELS=(onedl-mmengine onedl-mmcv onedl-mmsegmentation terminaltables addict yapf platformdirs
    termcolor prettytable wcwidth ftfy pytest-timeout)
NEEDED=(torch numpy cv2 scipy matplotlib jinja2 PIL safetensors yaml rich regex packaging pytest
    mmengine mmcv mmseg terminaltables)

if [ "${1:-}" = --pack ]; then
    FOLDER=${2:?--pack needs a folder}
    if [ -z "${PYTHON:-}" ]; then
        source tools/env.sh
        make_environment
        PYTHON=$PY
    fi
    mkdir -p "$FOLDER/wheels"
    "$PYTHON" -m pip wheel --quiet --no-deps --disable-pip-version-check \
        -c requirements/constraints.txt -w "$FOLDER/wheels" "${WHEELS[@]}" "${@:3}"
    PYTHONPATH=$PWD "$PYTHON" tools/dataset_converters/pack_frames.py "$FOLDER/frames" \
        --config configs/monodepth2/monodepth2_r18_kitti-mini-640x192.py
    mkdir -p "$FOLDER/weights"
    cp "${MMSCD_DATA:-data}"/weights/teacher_fpn_r18_road_semantics.* "$FOLDER/weights"
    du -sh "$FOLDER"
    exit
fi

FOLDER=${1:?usage: $0 FOLDER [--out DIR], or $0 --pack FOLDER}
PYTHON=${PYTHON:-python3}
SITE=$(mktemp -d)
trap 'rm -rf "$SITE"' EXIT
missing() {
    "$PYTHON" -c 'import sys
from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if find_spec(name) is None))' "${NEEDED[@]}"
}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
if [ -n "$(missing)" ] && compgen -G "$FOLDER/wheels/*.whl" >/dev/null; then
    "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
        --disable-pip-version-check --target "$SITE" "$FOLDER"/wheels/*.whl
    PYTHONPATH=$PYTHONPATH:$SITE
fi
LACKING=$(missing)
if [ -n "$LACKING" ]; then
    echo "missing Python packages: $LACKING; on a machine with network run" \
        "\`bash tools/gpu_check.sh --pack FOLDER PACKAGE ...\` and bring the folder" >&2
fi
if [ ! -f "$FOLDER/frames/intrinsics.yaml" ]; then
    echo "missing data: there is no $FOLDER/frames; on a machine with kitti-mini run" \
        "\`bash tools/gpu_check.sh --pack FOLDER\` and bring the folder" >&2
    LACKING="$LACKING data"
fi
[ -z "$LACKING" ] || exit 1
"$PYTHON" tools/analysis_tools/gpu_check.py "$@"

#!/usr/bin/env bash
# Train on several processes.
# Usage: tools/dist_train.sh CONFIG GPUS [train.py options]
set -euo pipefail
source "$(dirname "$0")/distributed.sh"
usage_unless $# 2 'CONFIG GPUS [train.py options]'
over_processes train.py "$2" "$1" "${@:3}"

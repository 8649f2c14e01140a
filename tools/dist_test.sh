#!/usr/bin/env bash
# Evaluate on several processes.
# Usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [test.py options]
set -euo pipefail
source "$(dirname "$0")/distributed.sh"
usage_unless $# 3 'CONFIG CHECKPOINT GPUS [test.py options]'
over_processes test.py "$3" "$1" "$2" "${@:4}"

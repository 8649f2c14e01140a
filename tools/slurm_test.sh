#!/usr/bin/env bash
# Evaluate under Slurm.
# Usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [test.py options]
set -euo pipefail
source "$(dirname "$0")/distributed.sh"
usage_unless $# 4 'PARTITION JOB_NAME CONFIG CHECKPOINT [test.py options]'
over_slurm test.py "$@"

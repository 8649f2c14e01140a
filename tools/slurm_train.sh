#!/usr/bin/env bash
# Train under Slurm.
# Usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [train.py options]
set -euo pipefail
source "$(dirname "$0")/distributed.sh"
usage_unless $# 3 'PARTITION JOB_NAME CONFIG [train.py options]'
over_slurm train.py "$@"

#!/usr/bin/env bash
# Tries to break the tools: spoilt and malicious files, faults of the machine, kills. About half an
# hour; arguments: --minutes M, --cases N, --kills N, --seed S, --section ..., see --help.
# docs/en/reliability.md explains it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
make_environment
cd "$ROOT"
say "campaign"
# one thread: results are compared bit by bit
export OMP_NUM_THREADS=1 MMSCD_TRACEBACK=0
exec "$PY" tests/campaign/run.py "$@"

#!/usr/bin/env bash
# Makes the environment and runs the tests. Arguments go to pytest, e.g. `-m "not slow"`, `-k pose`.
# Tests on real data look for it in MMSCD_DATA and are skipped where it is not set.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
make_environment
cd "$ROOT"
say "tests"
# a process per core and one thread in each, module by module, because fixtures belong to modules
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$PY" -m pytest --durations=8 -n auto --maxprocesses 4 --dist loadscope "$@"

# Sourced by quickstart.sh and run_tests.sh: makes the virtual environment that both use.
# After `make_environment`, $ROOT is the repository, $PY the environment's interpreter.
# MMSCD_VENV names another folder for it, PYTHON another interpreter to make it with.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${MMSCD_VENV:-$ROOT/.venv}
PY=$VENV/bin/python

say() { printf '\n== %s\n' "$*"; }

make_environment() {
    local base=${PYTHON:-python3} stamp=$VENV/.mmscd-stamp wanted
    if ! "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        echo "mmscd needs Python 3.10 or newer, $base is $("$base" --version 2>&1);" \
            "name another one: PYTHON=python3.11 $0" >&2
        return 1
    fi
    wanted=$(cat "$ROOT"/requirements/*.txt "$ROOT/setup.py" | cksum; "$base" --version; echo "$ROOT")
    if [ -x "$PY" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        say "environment: $VENV (already complete)"
        return
    fi
    say "environment: $VENV (about a minute, mostly PyTorch)"
    rm -f "$stamp"
    "$base" -m venv --clear "$VENV"
    "$PY" -m pip install --quiet --disable-pip-version-check --progress-bar off \
        -c "$ROOT/requirements/constraints.txt" setuptools torch
    "$PY" -m pip install --quiet --disable-pip-version-check --progress-bar off \
        -c "$ROOT/requirements/constraints.txt" -e "$ROOT[openmmlab,tests]"
    printf '%s' "$wanted" >"$stamp"
}

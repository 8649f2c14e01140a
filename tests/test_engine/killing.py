"""Trains in child processes that are struck at chosen places: `python killing.py RUNS.json`.

The file is a list of runs, done one after the other, each a dict of `args` of `tools/train.py`
and, if it shall be struck, `at` (module, attribute, ...), the `nth` call, and the `signals` that
the whole process group gets then, or `fill`, a folder whose disk is filled. One process imports
everything and forks each run. Printed is the list of exit statuses, as JSON.
"""

import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def strike(at, nth, signals, fill):
    """Send signals to this process group at the n-th call of a function, before its work, or fill
    the disk of a folder."""
    module, *path, last = at
    owner = importlib.import_module(module)
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, last), []

    def struck(*args, **kwargs):
        calls.append(1)
        if len(calls) == nth and fill:
            Path(fill, 'filler').write_bytes(bytes(shutil.disk_usage(fill).free - 999_999))
        elif len(calls) == nth:
            for name in signals:
                os.killpg(0, getattr(signal, name))
        return original(*args, **kwargs)

    setattr(owner, last, struck)


def train(run):
    os.setpgrp()
    if 'at' in run:
        strike(run['at'], run.get('nth', 1), run.get('signals', ['SIGKILL']), run.get('fill'))
    from tools.train import main

    sys.argv = ['tools/train.py', *run['args']]
    sys.orig_argv = ['python', *sys.argv]
    status = 0
    try:
        main(run['args'])
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = 1 if isinstance(end.code, str) else end.code
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    os._exit(status or 0)


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    import torch

    import mmscd.engine.launch  # noqa: F401
    import mmscd.models.teachers.teacher_option  # noqa: F401

    torch.set_num_threads(1)
    statuses = []
    for run in json.loads(Path(sys.argv[1]).read_text()):
        pid = os.fork()
        if not pid:
            if 'output' in run:
                handle = os.open(run['output'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(handle, 1)
                os.dup2(handle, 2)
            train(run)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(json.dumps(statuses))

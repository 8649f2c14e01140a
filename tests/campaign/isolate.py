"""Runs a call in a process of its own, as a tool would run it, and says how it ended."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmscd.utils.command_line import run_tool

MEMORY = 2 << 30  # bytes that a case may take beside what the interpreter has already
SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """`kind`: ok, refused, unnamed, not finite, traceback, memory, timeout or crash; `text`: the
    sentence or the error; `place`: file and line of our code that let it through."""

    kind: str
    text: str = ''
    place: str = ''


def run_isolated(
    call: Callable[[], Any], log: Path, seconds: float = SECONDS, memory: int | None = MEMORY
) -> Outcome:
    """Fork, call, and tell. What the call prints goes to `log`; its own children end with it."""
    result = log.with_suffix('.json')
    result.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            _redirect(log)
            if memory:
                limit = _virtual_memory() + memory
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            outcome = _call(call, log)
            result.write_text(json.dumps(outcome))
        finally:
            os._exit(0)
    handle = os.pidfd_open(child)
    ended = select.select([handle], [], [], seconds)[0]
    os.close(handle)
    for group in (child, -child):  # the group last: it may be gone
        try:
            os.kill(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
    status = os.waitpid(child, 0)[1]
    if not ended:
        return Outcome('timeout', f'not done after {seconds:g} s')
    if result.is_file():
        return Outcome(*json.loads(result.read_text()))
    return Outcome('crash', f'ended with {status}: {log.read_text(errors="replace")[-300:]}')


def name_check(outcome: Outcome, names: Sequence[str]) -> Outcome:
    """The same, or `unnamed` where a refusal is no one sentence that names one of the files."""
    text = outcome.text
    short = len(text) < 1200 and text.count('\n') <= 3
    if outcome.kind != 'refused' or (short and any(name in text for name in names)):
        return outcome
    return Outcome('unnamed', text, outcome.place)


def _redirect(log: Path) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, nothing), (1, target), (2, target)):
        os.dup2(source, number)
    faulthandler.disable()


def _virtual_memory() -> int:
    return int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()


def _call(call: Callable[[], Any], log: Path) -> tuple[str, str, str]:
    try:
        value = run_tool(argparse.ArgumentParser(), lambda args: call(), [])
        return ('ok', '', '') if is_finite(value) else ('not finite', 'a number is not finite', '')
    except SystemExit as end:
        where = _place(end.__cause__ or end.__context__)
        if isinstance(end.code, str):
            return 'refused', end.code, where
        sys.stdout.flush()
        sys.stderr.flush()
        said = log.read_text(errors='replace')
        lines = [line for line in said.splitlines() if re.search('error|skipped|:', line)]
        told = (lines or [''])[-1]
        return ('refused', f'exit {end.code}: {told}', where) if end.code else ('ok', '', '')
    except BaseException as error:
        kind = 'traceback'
        if isinstance(error, MemoryError) or re.search('allocate|Insufficient memory', str(error)):
            kind = 'memory'
        return kind, f'{type(error).__name__}: {error}'[:400], _place(error)


def _place(error: BaseException | None) -> str:
    """The innermost line of the package, its tools or its projects."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    kept = tuple(f'{ROOT}/{name}/' for name in ('mmscd', 'tools', 'projects', 'demo'))
    own = [frame for frame in frames if frame.filename.startswith(kept)]
    return f'{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}' if own else ''


def is_finite(value: Any) -> bool:
    """Whether nested results hold no NaN and no infinity."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return all(map(is_finite, value))
    if hasattr(value, 'detach'):
        value = value.detach().numpy()
    if isinstance(value, (float, np.ndarray, np.generic)):
        array = np.asarray(value)
        return array.dtype.kind not in 'fc' or bool(np.isfinite(array).all())
    return True

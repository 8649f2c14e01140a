"""Progress of long runs: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from mmengine.logging import print_log

T = TypeVar('T')
_SECONDS_BETWEEN_LINES = 10.0


def track(items: Iterable[T], total: int | None = None, what: str = 'images') -> Iterator[T]:
    """Hand on items, called `what`, and show how far it is; a `total` of None is unknown."""
    return (_bar if sys.stderr.isatty() else _lines)(items, total, what)


def _bar(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    from rich import progress as parts
    from rich.console import Console

    columns = [parts.TextColumn(what), parts.BarColumn(), parts.MofNCompleteColumn()]
    columns += [parts.TextColumn('{task.fields[speed]}'), parts.TimeRemainingColumn()]
    with parts.Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, speed='')
        start = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            speed_now = done / max(time.monotonic() - start, 1e-9)
            progress.update(task, advance=1, speed=f'{speed_now:.1f}/s')


def _lines(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            print_log(_line(done, total, what, now - start), 'current')
    if done:
        # inputs that were skipped would seem to be still to come
        print_log(_line(done, None, what, time.monotonic() - start), 'current')


def _line(done: int, total: int | None, what: str, seconds: float) -> str:
    speed = done / max(seconds, 1e-9)
    text = f'{done}{f"/{total}" if total else ""} {what}, {speed:.1f}/s'
    if total and total > done:
        text += f', about {(total - done) / speed:.0f} s to go'
    return text

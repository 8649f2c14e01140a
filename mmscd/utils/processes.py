"""Work that several processes share."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar('T')
R = TypeVar('R')


def spread(
    work: Callable[[T], R],
    jobs: Sequence[T],
    workers: int,
    start: Callable[[], Any] | None = None,
    chunk: int = 1,
    method: str | None = None,
) -> Iterator[R]:
    """What `work` gives for each of the jobs, in their order, from so many processes; one worker is
    this process itself.

    `start` is called first in each of them, `chunk` jobs go to one at a time, `method` is that of
    `multiprocessing`. Ctrl-C, and any error, ends them after the job at hand, and none outlives
    this process. RuntimeError: one of them was killed.
    """
    if min(workers, len(jobs)) <= 1:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _begin, (start,))
    try:
        yield from pool.map(work, jobs, chunksize=chunk)
    except BrokenProcessPool:
        raise RuntimeError(
            f'one of {workers} worker processes was killed, as a rule because the memory was full: '
            'use fewer --workers; what was written stays, the same command goes on'
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(start: Callable[[], Any] | None) -> None:
    # Ctrl-C reaches the whole group; the main process ends its workers by itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    if start is not None:
        start()


def _follow_parent() -> None:
    """A worker would wait for ever for the next job of a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

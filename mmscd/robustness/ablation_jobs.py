"""Commands of an ablation that run side by side: their logs, one display, and their end."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

from mmscd.utils.brief_log import PROGRESS, shorten

# looked up here: between fork and exec there is no time for it
_PRCTL = getattr(ctypes.CDLL(None), 'prctl', None)
_SECONDS_BETWEEN_LINES = 10.0


class Commands:
    """Runs Python commands for several threads; none outlives this process.

    Args:
        root: the folder that they run in.
        together: several are shown in one line now and then, how far each is; a single one with its
            own progress and tables.
    """

    def __init__(self, root: Path, together: bool) -> None:
        self.root, self.together = root, together
        self.stopped = threading.Event()
        self._running: set[Popen] = set()
        self._progress: dict[str, str] = {}
        self._lock, self._last = threading.Lock(), -_SECONDS_BETWEEN_LINES

    def stop(self, at_once: bool) -> None:
        """Start none any more; `at_once`: ask those that run to end."""
        self.stopped.set()
        for process in tuple(self._running) if at_once else ():
            process.terminate()

    def call(self, command: Sequence[str], log: Path, name: str = '') -> None:
        """Run a command with its whole output in a file, its progress under a name on the screen.

        RuntimeError where it fails (names the log), or nothing shall be started any more.
        """
        if self.stopped.is_set():
            raise RuntimeError('stopped')
        log.parent.mkdir(parents=True, exist_ok=True)
        process = Popen(
            [sys.executable, *command],
            cwd=self.root,
            text=True,
            stdout=PIPE,
            stderr=STDOUT,
            preexec_fn=_end_with_parent,
        )
        self._running.add(process)
        with log.open('a') as file:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                if name:
                    self._show(name, line)
        status = process.wait()
        self._running.discard(process)
        self._progress.pop(name, None)
        if status:
            said = ' '.join(command[:2])
            raise RuntimeError(f'{said} failed with {status}: see {log}')

    def _show(self, name: str, line: str) -> None:
        if not self.together:
            if (shown := shorten(line)) is not None:
                print(shown, flush=True)
        elif match := PROGRESS.search(line):
            with self._lock:
                self._progress[name] = f'{name} {match["done"]}/{match["total"]}'
                if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
                    self._last = time.monotonic()
                    print('; '.join(self._progress.values()), flush=True)


def _end_with_parent() -> None:
    """Linux: a process gets SIGTERM when the one that began it ends, however that comes."""
    if _PRCTL:
        _PRCTL(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

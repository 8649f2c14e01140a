"""The end of a training by a signal or a deadline, with nothing lost."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner

from mmscd.engine.run_folder import numbered_checkpoints
from mmscd.registry import HOOKS

from .atomic_checkpoint_hook import AtomicCheckpointHook

TIME_IS_UP = 124
_NOTICE = b'\nfinishing the iteration and writing a checkpoint; Ctrl-C again ends at once\n'


@HOOKS.register_module()
class StopHook(Hook):
    """Ends a training on SIGTERM, Ctrl-C or before a deadline: after the iteration at hand and with
    a checkpoint, or in a validation at once, which is made up for on resuming.

    The process ends by SystemExit: status 143 after SIGTERM, 130 after Ctrl-C, 124 at the deadline.
    Several processes agree in iterations that are logged: there they wait for the device anyway.

    Args:
        time_limit: seconds until the deadline; None: there is none.
        begin: where on the clock `time.monotonic` they begin; None: now.
    """

    priority = 'LOWEST'

    def __init__(self, time_limit: float | None = None, begin: float | None = None) -> None:
        begin = time.monotonic() if begin is None else begin
        self._deadline = begin + (time_limit or float('inf'))
        self._begun = False
        self._received = 0
        self._since: float | None = None
        self._last = self._longest = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """A context in which the signals of this process are answered, in the main thread."""
        before = {n: signal.signal(n, self._receive) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._begun or self._received == number == signal.SIGINT:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + number)
        self._received = number
        with suppress(OSError):  # nobody reads any more
            os.write(2, _NOTICE)  # print may be at work just now

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """From now on there is something to save."""
        self._begun = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Stop here if it is time; never between accumulated gradients, which are not saved."""
        now = time.monotonic()
        if self._since is not None:
            self._last = now - self._since
            self._longest = max(self._longest, self._last)
        self._since = now
        alone = get_world_size() == 1
        stride = 1 if alone else min(h.interval for h in runner.hooks if isinstance(h, LoggerHook))
        if (batch_idx + 1) % stride:
            return
        status = self._status(stride * self._last + self._longest)
        if not alone:
            all_reduce(agreed := torch.tensor(status), 'max')
            status = int(agreed)
        accumulated = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        done = runner.iter + 1
        if status and done < runner.max_iters and done % accumulated == 0:
            self._stop(runner, status, done)

    def before_val(self, runner: Runner) -> None:
        """Its time is not an iteration's."""
        self._since = None

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop the validation if it is time."""
        if status := self._status(0.0):
            self._stop(runner, status, runner.iter)

    def _status(self, needed: float) -> int:
        """Status to end with, 0 to go on for another `needed` seconds."""
        if self._received:
            return 128 + self._received
        return TIME_IS_UP if time.monotonic() + needed > self._deadline else 0

    def _stop(self, runner: Runner, status: int, done: int) -> None:
        hooks = [hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
        path = hooks[0].save_now(runner, done) if hooks else None
        if self._since is not None:  # in training all are here
            barrier()
        if is_main_process():
            why = 'the time limit' if status == TIME_IS_UP else signal.Signals(status - 128).name
            runner.logger.warning(
                f'Iteration {done}: stopped by {why}; the state is in {path}; '
                f'go on with: {resume_command(str(runner.work_dir), path, done)}'
            )
        raise SystemExit(status)


def resume_command(work_dir: str, checkpoint: str | None, done: int) -> str:
    """This process's command line with the option that goes on from a checkpoint of the folder."""
    words = [word for word in sys.orig_argv if not word.startswith('--resume=')]
    if '--resume' in words:
        at = words.index('--resume')
        del words[at : at + 1 + (words[at + 1 : at + 2] != [] and words[at + 1][0] != '-')]
    newer = any(number > done for number, _ in numbered_checkpoints(work_dir))
    return shlex.join([*words, '--resume', checkpoint if newer and checkpoint else 'auto'])

"""Checkpoints that survive a kill at any moment and load without running code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import CheckpointHook
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import Runner

from mmscd.registry import HOOKS
from mmscd.utils.compat import load_checkpoint_file

_BUFFER_KEYS = {'log_history', 'count_history'}


class _DeferredRemoval:
    """A file backend whose removals wait until the new checkpoint is on the disk."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._pending: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note the file for `flush`."""
        self._pending.append(path)

    def flush(self, keep: set[str | None]) -> None:
        """Remove now what was asked to go, except `keep`."""
        pending, self._pending = self._pending, []
        for path in pending:
            if path not in keep and self._backend.isfile(path):
                self._backend.remove(path)


def to_plain(value: Any) -> Any:
    """Plain data out of what mmengine's message hub holds, so that it loads with weights_only."""
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return dict(log_history=np.asarray(log).tolist(), count_history=np.asarray(count).tolist())
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def restore_buffers(log_scalars: dict) -> dict:
    """Undo `to_plain` for the message hub's `log_scalars`."""
    return {
        key: HistoryBuffer(value['log_history'], value['count_history'])
        if isinstance(value, dict) and set(value) == _BUFFER_KEYS
        else value
        for key, value in log_scalars.items()
    }


def find_latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest whole `iter_*.pth` or `epoch_*.pth` of a folder; broken ones are passed over.

    The files themselves are looked at, not mmengine's `last_checkpoint`, which is written later.
    """
    files = [*Path(work_dir).glob('iter_*.pth'), *Path(work_dir).glob('epoch_*.pth')]
    for file in sorted(files, key=lambda f: int(f.stem.split('_')[-1]), reverse=True):
        try:
            load_checkpoint_file(file)
        except RuntimeError:
            continue
        return file
    return None


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook` with two differences.

    - Old checkpoints go after the new one is whole (mmengine removes them first; the write itself
      is atomic by `compat.register_atomic_local_backend`).
    - The message hub is stored as plain numbers, so `torch.load(weights_only=True)` accepts it.

    Args: as `mmengine.hooks.CheckpointHook`.
    """

    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Find the folder, then wrap its backend."""
        super().before_train(runner)
        self.file_backend = _DeferredRemoval(self.file_backend)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make the message hub plain."""
        checkpoint['message_hub'] = to_plain(checkpoint['message_hub'])
        checkpoint['meta'] = to_plain(checkpoint['meta'])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the message hub its buffers back."""
        hub = checkpoint.get('message_hub')
        if isinstance(hub, dict) and 'log_scalars' in hub:
            hub['log_scalars'] = restore_buffers(hub['log_scalars'])

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self.file_backend.flush(keep={self.last_ckpt})

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        best = getattr(self, 'best_ckpt_path', None)
        several = getattr(self, 'best_ckpt_path_dict', None) or {}
        self.file_backend.flush(keep={best, *several.values()})

"""Checkpoints that survive a kill at any moment and load without running code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmscd.engine.run_folder import (
    OWN_NAME,
    check_room,
    note_validation,
    numbered_checkpoints,
    read_validation,
)
from mmscd.registry import HOOKS
from mmscd.utils.files import atomic_write

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

    def pending_names(self) -> list[str]:
        """Names of the files that `flush` would remove."""
        return [Path(path).name for path in self._pending]

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


def _progress(runner: Runner) -> tuple[int, int]:
    """How much is done, and the end, in what the training loop counts: iterations or epochs."""
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return runner.epoch, runner.max_epochs
    return runner.iter, runner.max_iters


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook`, which a kill at any moment leaves whole.

    - Old checkpoints go after the new one is whole (mmengine removes them first; the write itself
      is atomic by `compat.register_atomic_local_backend`). What a killed run had no time to remove
      goes when the training begins again.
    - A validation that a killed run did not finish is made before the training goes on.
    - The message hub is stored as plain numbers, so `torch.load(weights_only=True)` accepts it.

    Args: as `mmengine.hooks.CheckpointHook`.
    """

    file_backend: Any = None
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]
    _interrupted = False

    def before_train(self, runner: Runner) -> None:
        """Take up what the checkpoint says, tidy the folder, and validate what is left to be."""
        super().before_train(runner)
        self.file_backend = _DeferredRemoval(self.file_backend)
        info = runner.message_hub.runtime_info
        # the folder may have been moved, or be another training's
        self.last_ckpt = self._here(info.get('last_ckpt'))
        if self.save_best and len(self.key_indicators) == 1:
            self.best_ckpt_path = self._here(self.best_ckpt_path)
        elif self.save_best:
            found = self.best_ckpt_path_dict
            self.best_ckpt_path_dict = {key: self._here(path) for key, path in found.items()}
        if is_main_process():
            self._tidy(runner, runner.epoch if self.by_epoch else runner.iter)
        self._catch_up(runner)

    def _here(self, path: str | None) -> str | None:
        return path and self.file_backend.join_path(self.out_dir, Path(path).name)

    def _tidy(self, runner: Runner, done: int) -> None:
        """Remove what a killed run left, of a training that begins after `done` iterations (or
        epochs); whatever else is there stays."""
        folder, info = Path(str(self.out_dir)), runner.message_hub.runtime_info
        numbered = {
            number: file
            for number, file in numbered_checkpoints(folder)
            if file.name == self.filename_tmpl.format(number)
        }
        begun = numbered.get(done)
        own = begun and begun.resolve() == Path(str(runner._load_from)).resolve()
        left = [*folder.glob('.*.pth.*')]
        if own:
            left += [folder / n for n in info.get('superseded') or [] if OWN_NAME.fullmatch(str(n))]
            if self.max_keep_ckpts > 0 and (kept := info.get('keep_ckpt_ids')) is not None:
                left += [file for n, file in numbered.items() if n < done and n not in kept]
        for file in set(left):
            runner.logger.info(f'{file} goes, which a killed run left')
            self.file_backend.remove(str(file))
        self._flush(str(begun))
        if newer := [file.name for number, file in numbered.items() if number > done]:
            runner.logger.warning(
                f'{folder} holds {", ".join(newer)}, newer than iteration {done}, where this '
                'training begins: a later --resume auto would take them; move them away'
            )
        if done < (runner.max_epochs if self.by_epoch else runner.max_iters):
            check_room(folder, self._bytes_to_come(runner, done))
        if own:
            atomic_write(Path(runner.work_dir) / 'last_checkpoint', str(begun).encode())
        if own and self._interrupted:
            self.file_backend.remove(str(begun))

    def _bytes_to_come(self, runner: Runner, done: int) -> int:
        """How much more than now the checkpoints will take at a time."""
        optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
        defaults, groups = (optimizer.defaults, optimizer.param_groups) if optimizer else ({}, [])
        moments = 2 if 'betas' in defaults else bool(defaults.get('momentum'))
        weights = sum(getattr(value, 'nbytes', 0) for value in runner.model.state_dict().values())
        size = weights + moments * sum(p.nbytes for group in groups for p in group['params'])
        end = runner.max_epochs if self.by_epoch else runner.max_iters
        own = [f for f in Path(str(self.out_dir)).glob('*.pth') if OWN_NAME.fullmatch(f.name)]
        count = len(own) + (-(-(end - done) // self.interval) if self.interval > 0 else 1)
        if self.max_keep_ckpts > 0:
            count = min(count, self.max_keep_ckpts + 1)
        # the best one so far goes last
        needed = count * size + 2 * weights * len(self.save_best or ())
        return needed - sum(file.stat().st_size for file in own)

    def _catch_up(self, runner: Runner) -> None:
        loop = runner.train_loop
        done, end = _progress(runner)
        validated = [is_main_process() and read_validation(runner.work_dir, done)]
        broadcast_object_list(validated)
        if not done or validated[0] or runner.val_loop is None or done < loop.val_begin:
            return
        loop._decide_current_val_interval()
        if done % loop.val_interval == 0 or done == end:
            runner.logger.info(f'The validation after {done} was not finished: it is made now')
            runner.val_loop.run()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make the message hub plain, and say which files this one takes the place of."""
        checkpoint['message_hub'] = hub = to_plain(checkpoint['message_hub'])
        # values of validations stand in the log: one that a kill made come twice is not told twice
        for name in {'log_scalars', 'resumed_keys'} & set(hub):
            hub[name] = {k: v for k, v in hub[name].items() if not k.startswith('val/')}
        hub['runtime_info']['superseded'] = self.file_backend and self.file_backend.pending_names()
        checkpoint['meta'] = to_plain(checkpoint['meta'])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the message hub its buffers back."""
        self._interrupted = bool(checkpoint.get('meta', {}).get('interrupted'))
        hub = checkpoint.get('message_hub')
        if isinstance(hub, dict) and 'log_scalars' in hub:
            hub['log_scalars'] = restore_buffers(hub['log_scalars'])

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best one; only then is the validation finished."""
        super().after_val_epoch(runner, metrics)
        if is_main_process():
            note_validation(runner.work_dir, _progress(runner)[0])

    def save_now(self, runner: Runner, done: int) -> str | None:
        """Path of a checkpoint after `done` iterations, written if there is none yet; it goes when
        the training has gone on to its next one. By epochs, which cannot be resumed in the middle,
        the path of the last one."""
        path = str(self._here(name := self.filename_tmpl.format(done)))
        if self.by_epoch:
            return self.last_ckpt
        if self.last_ckpt != path or not Path(path).is_file():
            meta = dict(epoch=runner.epoch, iter=done, interrupted=True)
            runner.save_checkpoint(self.out_dir, name, meta=meta, by_epoch=False)
            self._flush(path)
        return path

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._flush(self.last_ckpt)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self._flush(self.last_ckpt)

    def _flush(self, newest: str | None) -> None:
        best = getattr(self, 'best_ckpt_path', None)
        several = getattr(self, 'best_ckpt_path_dict', {})
        self.file_backend.flush(keep={newest, best, *several.values()})

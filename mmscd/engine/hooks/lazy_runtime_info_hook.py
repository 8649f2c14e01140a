"""Numbers of the log that wait on the device until somebody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from mmscd.registry import HOOKS


@HOOKS.register_module()
class LazyRuntimeInfoHook(RuntimeInfoHook):
    """mmengine's `RuntimeInfoHook`, which does not wait for the device in every iteration.

    mmengine moves every logged value to the host as soon as it is there; each move waits for the
    device. Here they stay where they are, and all iterations since the last time move together
    when the log is written, a checkpoint is saved, a validation begins or the training ends. What
    the message hub then knows is the same, iteration by iteration, so the log's means are too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pending: list[tuple[list[str], Tensor]] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Tensor | float] | None = None,
    ) -> None:
        """Keep the values; move them if this iteration is written to the log."""
        if outputs:
            self._pending.append((list(outputs), stack_values(outputs)))
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or any(
            self.every_n_inner_iters(batch_idx, hook.interval)
            for hook in runner.hooks
            if isinstance(hook, LoggerHook)
        ):
            self.flush(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """The message hub was put into the checkpoint before this is called."""
        self.flush(runner)
        state = runner.message_hub.state_dict()
        checkpoint['message_hub'].update({k: state[k] for k in ('log_scalars', 'resumed_keys')})

    def before_val(self, runner: Runner) -> None:
        """A validation may be read together with what was logged before it."""
        self.flush(runner)
        super().before_val(runner)

    def after_train(self, runner: Runner) -> None:
        """Nothing stays behind."""
        self.flush(runner)
        super().after_train(runner)

    def flush(self, runner: Runner) -> None:
        """Hand what is pending to the message hub, in one transfer."""
        if not self._pending:
            return
        numbers = iter(torch.cat([values for _, values in self._pending]).tolist())
        for names, _ in self._pending:
            for name in names:
                runner.message_hub.update_scalar(f'train/{name}', next(numbers))
        self._pending.clear()


def stack_values(values: Mapping[str, Tensor | float]) -> Tensor:
    """Scalars, at least one, as one detached vector on the first one's device, without a wait."""
    first = next((v for v in values.values() if isinstance(v, Tensor)), torch.zeros(()))
    return torch.stack(
        [
            torch.as_tensor(value).detach().reshape(()).to(first.device, non_blocking=True)
            for value in values.values()
        ]
    )

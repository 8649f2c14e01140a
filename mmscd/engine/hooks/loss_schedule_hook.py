"""When which loss of the estimator counts."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmscd.registry import HOOKS


def ramp_strength(iteration: int, begin: int = 0, ramp: int = 0, end: int | None = None) -> float:
    """Factor of a loss in a (zero-based) iteration, in [0, 1].

    0 before `begin`, then a linear ramp over `ramp` iterations, 1, and 0 again from `end`.
    """
    if iteration < begin or (end is not None and iteration >= end):
        return 0.0
    return min(1.0, (iteration - begin + 1) / ramp) if ramp else 1.0


def check_schedule(begin: int, ramp: int, end: int | None) -> None:
    """Refuse a schedule that is empty or runs backwards.

    Raises:
        ValueError: it is.
    """
    if begin < 0 or ramp < 0 or (end is not None and end <= begin):
        raise ValueError(
            'expected 0 <= begin < end and 0 <= ramp (in iterations), got '
            f'begin={begin}, end={end}, ramp={ramp}'
        )


@HOOKS.register_module()
class LossScheduleHook(Hook):
    """Lets losses of `model.losses` begin late, grow, and end.

    A loss of strength 0 is not computed, and its log shows 0. The strength is a function of the
    iteration alone, so a resumed run continues exactly.

    Args:
        losses: name in `model.losses` -> dict(begin=0, ramp=0, end=None) in iterations. A name
            whose loss is None in the config may stand here: it has no effect.

    Raises:
        ValueError: a schedule is empty or runs backwards.
    """

    priority = 'NORMAL'

    def __init__(self, losses: dict[str, dict[str, int | None]]) -> None:
        self.schedules = {
            name: (own.get('begin', 0), own.get('ramp', 0), own.get('end'))
            for name, own in losses.items()
        }
        for schedule in self.schedules.values():
            check_schedule(*schedule)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the strengths of this iteration."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, schedule in self.schedules.items():
            model.loss_strengths[name] = ramp_strength(runner.iter, *schedule)

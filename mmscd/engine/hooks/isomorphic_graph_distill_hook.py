"""Life of the teacher and schedule of the distillation."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.optim import Optimizer

from mmscd.registry import HOOKS, TEACHERS

from .loss_schedule_hook import check_schedule, ramp_strength


@HOOKS.register_module()
class IsomorphicGraphDistillHook(Hook):
    """Builds and attaches the frozen teacher, drives the strength of the distillation, detaches.

    The strength is a function of the iteration alone, so a resumed run continues exactly: 0 before
    `begin`, then a linear ramp, 1, and 0 again from `end`. At 0 the teacher is not run, and what
    the teacher occupies is freed at `end`. At `begin` the optimizer forgets the moments of the
    graph: until then its gradients were zero, and Adam, which corrects for missing history only
    while it counts few steps, would take the first steps of the graph several times too large.

    Args:
        begin: first iteration with distillation.
        ramp: iterations over which the strength grows to 1; 0: at once.
        end: first iteration without it; None: never.
        interval: the graph's diagnostics are computed and logged every so many iterations; each
            costs a wait for the device.
        probe_size: (height, width) of the image that the teacher's taps are probed with; None:
            they are taken on trust.

    Raises:
        ValueError: the schedule is empty or runs backwards.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        begin: int = 0,
        ramp: int = 0,
        end: int | None = None,
        interval: int = 50,
        probe_size: tuple[int, int] | None = (192, 640),
    ) -> None:
        check_schedule(begin, ramp, end)
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, got {interval}')
        self.begin, self.ramp, self.end = begin, ramp, end
        self.interval, self.probe_size = interval, probe_size

    def strength(self, iteration: int) -> float:
        """Factor of the distillation losses in a (zero-based) iteration, in [0, 1]."""
        return ramp_strength(iteration, self.begin, self.ramp, self.end)

    def before_train(self, runner: Runner) -> None:
        """Build, probe and attach the teacher.

        Raises:
            ValueError: the model has no distiller, or the teacher's maps are not as declared.
        """
        distiller = find_distiller(runner.model)
        if self._over(runner.iter):
            return
        teacher = TEACHERS.build(distiller.teacher_cfg)
        teacher.to(next(_unwrap(runner.model).parameters()).device)
        if self.probe_size is not None and hasattr(teacher, 'probe'):
            teacher.probe(*self.probe_size)
        distiller.attach_teacher(teacher)
        size = sum(p.numel() for p in teacher.parameters()) / 1e6
        until = '' if self.end is None else f' until {self.end}'
        runner.logger.info(
            f'Distillation: teacher {type(teacher).__name__} ({size:.1f} M parameters, frozen) '
            f'from iteration {self.begin}{until}, ramp {self.ramp}.'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the strength of this iteration."""
        distiller = find_distiller(runner.model)
        distiller.set_strength(self.strength(runner.iter))
        distiller.diagnose = self.every_n_train_iters(runner, self.interval)
        if 0 < self.begin == runner.iter:
            _forget_moments(runner.optim_wrapper.optimizer, distiller)
        if self._over(runner.iter) and distiller.teacher is not None:
            distiller.detach_teacher()
            runner.logger.info(f'Distillation: ended at iteration {runner.iter}.')

    def after_train(self, runner: Runner) -> None:
        """Let go of the teacher."""
        find_distiller(runner.model).detach_teacher()

    def _over(self, iteration: int) -> bool:
        return self.end is not None and iteration >= self.end


def find_distiller(model: nn.Module) -> Any:
    """The distiller of a model, wrapped or not.

    Raises:
        ValueError: it has none.
    """
    model = _unwrap(model)
    distiller = getattr(model, 'distiller', None)
    if distiller is None:
        raise ValueError(
            f'{type(model).__name__} has no distiller to drive: give the config a '
            "`model.distiller = dict(type='IsomorphicGraphDistiller', ...)` as configs/scd have "
            'it, or switch the hook off with `default_hooks.distill = None`'
        )
    return distiller


def _forget_moments(optimizer: Optimizer, module: nn.Module) -> None:
    for parameter in module.parameters():
        optimizer.state.pop(parameter, None)


def _unwrap(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model

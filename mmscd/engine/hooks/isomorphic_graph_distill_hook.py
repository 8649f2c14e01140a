"""Life of the teacher."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmscd.registry import HOOKS, TEACHERS

from .schedule_hook import GRAPH, schedule_of, unwrap_model


@HOOKS.register_module()
class IsomorphicGraphDistillHook(Hook):
    """Builds and attaches the frozen teacher, detaches it when the graph has ended.

    When the graph begins and ends is said by the `ScheduleHook` of the run. While it is off the
    teacher is not run, and what the teacher occupies is freed at its end.

    Args:
        interval: the graph's diagnostics are computed and logged every so many iterations.
        probe_size: (height, width) of the image that the teacher's taps are probed with; None:
            they are taken on trust.

    Raises:
        ValueError: the interval is none.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 50, probe_size: tuple[int, int] | None = (192, 640)) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, got {interval}')
        self.interval, self.probe_size = interval, probe_size

    def before_train(self, runner: Runner) -> None:
        """Build, probe and attach the teacher; ValueError where its maps are not as declared."""
        distiller, schedule = find_distiller(runner.model), schedule_of(runner, GRAPH)
        if schedule.over(runner.iter):
            return
        teacher = TEACHERS.build(distiller.teacher_cfg)
        teacher.to(next(unwrap_model(runner.model).parameters()).device)
        if self.probe_size is not None and hasattr(teacher, 'probe'):
            teacher.probe(*self.probe_size)
        for part in getattr(unwrap_model(runner.model), 'pixel_weights', {}).values():
            if hasattr(part, 'check_teacher'):
                part.check_teacher(teacher)
        distiller.attach_teacher(teacher)
        size = sum(p.numel() for p in teacher.parameters()) / 1e6
        until = '' if schedule.end is None else f' until {schedule.end}'
        runner.logger.info(
            f'Distillation: teacher {type(teacher).__name__} ({size:.1f} M parameters, frozen) '
            f'from iteration {schedule.begin}{until}, ramp {schedule.ramp}.'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Ask for diagnostics in some iterations; let go of the teacher at the graph's end."""
        distiller, schedule = find_distiller(runner.model), schedule_of(runner, GRAPH)
        distiller.diagnose = self.every_n_train_iters(runner, self.interval)
        if schedule.over(runner.iter) and distiller.teacher is not None:
            distiller.detach_teacher()
            runner.logger.info(f'Distillation: ended at iteration {runner.iter}.')

    def after_train(self, runner: Runner) -> None:
        """Let go of the teacher."""
        find_distiller(runner.model).detach_teacher()


def find_distiller(model: nn.Module) -> Any:
    """The distiller of a model, wrapped or not; ValueError where it has none."""
    model = unwrap_model(model)
    distiller = getattr(model, 'distiller', None)
    if distiller is None:
        raise ValueError(
            f'{type(model).__name__} has no distiller to drive: give the config a '
            "`model.distiller = dict(type='IsomorphicGraphDistiller', ...)` as configs/scd have "
            'it, or switch the hook off with `default_hooks.distill = None`'
        )
    return distiller

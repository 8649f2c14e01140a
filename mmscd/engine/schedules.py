"""Every count of iterations that a config has, in one place."""

from __future__ import annotations

from collections.abc import Iterable

from mmengine.config import Config

# counts of iterations by hook under `default_hooks`; how often the log is written is for the reader
HOOK_COUNTS = dict(
    checkpoint=('interval',),
    schedule=('begin', 'ramp', 'end'),
    distill=('interval',),
    collapse_monitor=('begin', 'interval'),
)
LOOP_COUNTS = ('max_iters', 'val_interval', 'val_begin')
SCHEDULER_COUNTS = ('begin', 'end', 'T_max', 'step_size')


def scale_schedule(cfg: Config, total_batch: int) -> None:
    """Fit learning rate and number of iterations to another total batch: the linear scaling rule.

    The number of epochs stays what the config's `auto_scale_lr.base_batch_size` was tuned for:
    twice the batch means twice the learning rate and half the iterations, in whatever counts them.

    Args:
        cfg: changed in place.
        total_batch: samples per step over all processes.

    Raises:
        ValueError: the config names no `auto_scale_lr.base_batch_size`.
    """
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    if not base:
        raise ValueError(
            '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config'
        )
    factor = total_batch / base
    cfg.optim_wrapper.optimizer.lr *= factor
    _scale(cfg.train_cfg, LOOP_COUNTS, factor)
    for name, keys in HOOK_COUNTS.items():
        _scale(cfg.default_hooks.get(name), keys, factor)
    schedule = cfg.default_hooks.get('schedule') or {}
    for part in (schedule.get('parts') or {}).values():
        _scale(part, HOOK_COUNTS['schedule'], factor)
    for hook in cfg.get('custom_hooks') or []:
        _scale(hook, ('begin_iter',), factor)
    for scheduler in cfg.get('param_scheduler') or []:
        if not scheduler.get('by_epoch', True):
            _scale(scheduler, SCHEDULER_COUNTS, factor)
            if 'milestones' in scheduler:
                scheduler['milestones'] = [_shrink(m, factor) for m in scheduler['milestones']]


def refuse_old_keys(cfg: Config) -> None:
    """Name the key of today for one of before `ScheduleHook`.

    Raises:
        ValueError: the config has such a key.
    """
    hooks = cfg.get('default_hooks') or {}
    if hooks.get('loss_schedule'):
        raise ValueError(
            'default_hooks.loss_schedule is gone: one hook schedules all parts, e.g. '
            "default_hooks.schedule=dict(type='ScheduleHook', begin=750, "
            'parts=dict(graph=dict(), texture=dict(ramp=60)))'
        )
    for key in ('begin', 'ramp', 'end'):
        if key in (hooks.get('distill') or {}):
            raise ValueError(
                f'default_hooks.distill.{key} is gone: set default_hooks.schedule.{key} for all '
                f'parts, or default_hooks.schedule.parts.graph.{key} for the graph alone'
            )


def _scale(counts: dict | None, keys: Iterable[str], factor: float) -> None:
    counts = {} if counts is None else counts
    for key in keys:
        value = counts.get(key)
        if isinstance(value, int) and value > 0:
            counts[key] = _shrink(value, factor)


def _shrink(iterations: int, factor: float) -> int:
    return max(1, round(iterations / factor))

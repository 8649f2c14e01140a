"""When which part of the method counts."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.optim import Optimizer

from mmscd.models.outputs import makes_of, needs_of
from mmscd.registry import HOOKS

GRAPH = 'graph'
DEFAULT_PARTS = (GRAPH, 'texture', 'structure')


class Schedule(NamedTuple):
    """First iteration of a part, iterations over which it grows, first iteration without it."""

    begin: int = 0
    ramp: int = 0
    end: int | None = None

    def check(self) -> Schedule:
        """Refuse a schedule that is empty or runs backwards."""
        begin, ramp, end = self
        if begin < 0 or ramp < 0 or (end is not None and end <= begin):
            raise ValueError(
                'expected 0 <= begin < end and 0 <= ramp (in iterations), got '
                f'begin={begin}, end={end}, ramp={ramp}'
            )
        return self

    def strength(self, iteration: int) -> float:
        """Factor of the part in a (zero-based) iteration, in [0, 1].

        0 before `begin`, then a linear ramp over `ramp` iterations, 1, and 0 again from `end`.
        """
        if iteration < self.begin or self.over(iteration):
            return 0.0
        return min(1.0, (iteration - self.begin + 1) / self.ramp) if self.ramp else 1.0

    def over(self, iteration: int) -> bool:
        """Whether the part has ended for good."""
        return self.end is not None and iteration >= self.end

    def covers(self, other: Schedule) -> bool:
        """Whether the part is on wherever another one is."""
        ends_later = self.end is None or (other.end is not None and other.end <= self.end)
        return self.begin <= other.begin and ends_later


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Lets parts of the method begin late, grow, and end.

    A part of strength 0 is not computed, and its log shows 0. The strength is a function of the
    iteration alone, so a resumed run continues exactly. At the begin of a part with parameters the
    optimizer forgets their moments: until then their gradients were zero, and Adam, which corrects
    for missing history only while it counts few steps, would take the first steps several times too
    large.

    Args:
        parts: what is scheduled: `graph` (`model.distiller`) or a name in `model.losses` -> dict of
            what differs from the three below, mostly none. A part that the config sets to None may
            stand here: it has no effect. What does not stand here counts from the start. None: all
            of graph, texture and structure that the model has.
        begin: first iteration with the part.
        ramp: iterations over which its strength grows to 1; 0: at once.
        end: first iteration without it; None: never.

    Raises:
        ValueError: a schedule is empty or runs backwards.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        parts: Mapping[str, Mapping[str, Any] | None] | None = None,
        begin: int = 0,
        ramp: int = 0,
        end: int | None = None,
    ) -> None:
        self.named = parts is not None
        common = Schedule(begin, ramp, end).check()
        if parts is None:
            parts = dict.fromkeys(DEFAULT_PARTS, {})
        self.schedules = {
            name: common._replace(**own).check() for name, own in parts.items() if own is not None
        }

    def before_train(self, runner: Runner) -> None:
        """Refuse now, not in hours, unknown names and parts whose needs are off (ValueError)."""
        model = unwrap_model(runner.model)
        known = {GRAPH, *getattr(model, 'loss_names', ())}
        for name in self.schedules if self.named else ():
            if name not in known:
                near = get_close_matches(name, sorted(known), cutoff=0.4) or sorted(known)
                raise ValueError(
                    f'default_hooks.schedule.parts names {name!r}, which is no part of the model: '
                    f'did you mean {" or ".join(repr(n) for n in near)}?'
                )
        self._check_order(_parts(model))

    def _check_order(self, parts: dict[str, nn.Module]) -> None:
        for name, part in parts.items():
            for need in needs_of(part):
                for maker, other in parts.items():
                    own, others = self.schedule(name), self.schedule(maker)
                    if need in makes_of(other) and not others.covers(own):
                        raise ValueError(
                            f'{name!r} (begin={own.begin}, end={own.end}) needs {need!r}, which '
                            f'{maker!r} makes from begin={others.begin} to end={others.end}: let '
                            f'{maker!r} begin no later and end no earlier '
                            f'(default_hooks.schedule.parts.{maker})'
                        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the strengths of this iteration."""
        model = unwrap_model(runner.model)
        for name, part in _parts(model).items():
            if name in self.schedules:
                schedule = self.schedules[name]
                strength = schedule.strength(runner.iter)
                if name == GRAPH:
                    part.set_strength(strength)
                else:
                    model.loss_strengths[name] = strength
                if 0 < schedule.begin == runner.iter:
                    _forget_moments(runner.optim_wrapper.optimizer, part)

    def schedule(self, part: str) -> Schedule:
        """The schedule of a part; that of one which is not scheduled is always on."""
        return self.schedules.get(part, Schedule())


def schedule_of(runner: Runner, part: str) -> Schedule:
    """What the run's `ScheduleHook` says about a part; without one it is always on."""
    for hook in runner.hooks:
        if isinstance(hook, ScheduleHook):
            return hook.schedule(part)
    return Schedule()


def unwrap_model(model: nn.Module) -> nn.Module:
    """The model inside of DDP or another wrapper."""
    return model.module if is_model_wrapper(model) else model


def _forget_moments(optimizer: Optimizer, module: nn.Module) -> None:
    for parameter in module.parameters():
        optimizer.state.pop(parameter, None)


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    parts = dict(getattr(model, 'losses', {}))
    if getattr(model, 'distiller', None) is not None:
        parts[GRAPH] = model.distiller
    return parts

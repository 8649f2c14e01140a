"""Transfer of a frozen teacher's feature dependencies to the depth network."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmscd.models.outputs import StepOutputs
from mmscd.models.taps import TapRecorder, describe_tap
from mmscd.registry import DISTILL_LOSSES, DISTILLERS
from mmscd.utils.compiling import run

from .graph_diagnostics import describe_graphs
from .isomorphic_graph import GraphPair, GraphProjections, ModelGraph, resize_map, vec


class _OutsideTheTree:
    """Holds a module that is no part of its owner: not for parameters(), state_dict(), to(), DDP,
    nor for copies of the owner (EMA) and pickles of it."""

    def __init__(self, module: nn.Module | None = None) -> None:
        self.module = module

    def __deepcopy__(self, memo: dict) -> _OutsideTheTree:
        return _OutsideTheTree()

    def __reduce__(self) -> tuple:
        return _OutsideTheTree, ()


class TapPairDistillation(nn.Module):
    """What is learnt for one pair of taps, and its losses (configs by name)."""

    def __init__(
        self, student_tap: Mapping, teacher_tap: Mapping, losses: Mapping, dim: int, tau: float
    ) -> None:
        super().__init__()
        self.taps, self.tau = (student_tap, teacher_tap), tau
        widths = dict(
            student_channels=student_tap['channels'], teacher_channels=teacher_tap['channels']
        )
        build = DISTILL_LOSSES.build
        made = {name: build(dict(widths, dim=dim, **cfg)) for name, cfg in losses.items()}
        self.losses = nn.ModuleDict(made)
        self.projections = None
        if any(loss.needs_graph for loss in self.losses.values()):
            self.projections = GraphProjections(**widths, dim=dim)

    def model_graph(self, feature_map: Tensor, grid: tuple[int, int], role: str) -> ModelGraph:
        """The graph of one model, `role` student or teacher, of its map (B, C, h, w) at `grid`
        (rows, columns). A map of another width than the tap declares is refused."""
        tap = self.taps[role == 'teacher']
        if feature_map.dim() != 4 or feature_map.shape[1] != tap['channels']:
            raise ValueError(
                f'the {role} tap {describe_tap(tap)} declares {tap["channels"]} channels, found '
                f'a map of shape {tuple(feature_map.shape)}; correct `channels` in the config'
            )
        features = vec(resize_map(feature_map, grid))
        entry = None if self.projections is None else getattr(self.projections, f'{role}_in')
        return ModelGraph(features, entry, self.projections, self.tau)


@DISTILLERS.register_module()
class IsomorphicGraphDistiller(nn.Module):
    """Makes the feature dependencies of the depth network follow those of a semantic expert.

    Maps of both models are brought to one grid, so that vertices correspond one to one; see
    `GraphProjections` for what is learnt and `graph_losses` for the terms and what each trains.
    The teacher is attached from outside (`IsomorphicGraphDistillHook`) and is no submodule.

    Args:
        student_taps: dicts with `module` (path in the estimator), `index` where it puts out several
            maps, `channels`, and `stride`, which is for the reader.
        teacher: config of the teacher, registry `TEACHERS`; its `taps` declare `channels` too. It
            is not built here: a model for inference has no teacher.
        losses: configs by name, registry `DISTILL_LOSSES`; logged as `loss_distill_<name>`; None
            instead of a config drops one. Empty: the teacher runs for other components only.
        dim: d, width of the vertices.
        tau: temperature of the edges.
        stride: of the graph's grid on the input image: (H / stride) x (W / stride) vertices.
        pairs: indices (student tap, teacher tap), a graph each; None: one after the other, or a
            single tap of one model with every tap of the other. Losses are averaged over pairs.
        passes: names of the passes of the depth network that are distilled, `clean` (the target)
            or also `perturbed`; losses are averaged over them. The teacher sees the clean target.

    Raises:
        ValueError: taps do not pair up, or do not declare their channels.
    """

    makes = ('teacher',)

    def __init__(
        self,
        student_taps: Sequence[Mapping[str, Any]],
        teacher: Mapping[str, Any],
        losses: Mapping[str, Mapping[str, Any] | None],
        dim: int = 64,
        tau: float = 1.0,
        stride: int = 16,
        pairs: Sequence[tuple[int, int]] | None = None,
        passes: Sequence[str] = ('clean',),
    ) -> None:
        super().__init__()
        if tau <= 0:
            raise ValueError(f'tau must be positive, got {tau}')
        self.teacher_cfg = copy.deepcopy(dict(teacher))
        self.recorder = TapRecorder(student_taps)
        self.stride, self.passes = stride, tuple(passes)
        teacher_taps = list(teacher.get('taps', ()))
        losses = {name: cfg for name, cfg in losses.items() if cfg}
        self.loss_names = tuple(losses)
        self.pairs = _pair_taps(self.recorder.taps, teacher_taps, pairs) if losses else []
        self.graphs = nn.ModuleList(
            TapPairDistillation(self.recorder.taps[s], teacher_taps[t], losses, dim, tau)
            for s, t in self.pairs
        )
        self.strength = 1.0
        # what losses are multiplied by instead where Python does not run in every step
        self.factor: Tensor | None = None
        self.diagnose = True
        self._outside = _OutsideTheTree()

    @property
    def needs(self) -> tuple[str, ...]:
        """Passes of the depth network that a loss has to make; the clean one is always there."""
        return tuple(name for name in self.passes if name != 'clean')

    @property
    def teacher(self) -> nn.Module | None:
        """The attached teacher."""
        return self._outside.module

    def attach_teacher(self, teacher: nn.Module) -> None:
        """Use this frozen network from now on; it stays outside the module tree."""
        self._outside.module = teacher

    def detach_teacher(self) -> None:
        """Let go of the teacher and of its memory."""
        self._outside.module = None

    def set_strength(self, strength: float) -> None:
        """Factor >= 0 of all losses; at 0 the teacher is not run."""
        if not strength >= 0:
            raise ValueError(f'the strength must be at least 0, got {strength}')
        self.strength = float(strength)

    @contextmanager
    def recording(self, model: nn.Module, name: str, student_feats: dict) -> Iterator[None]:
        """While it is open, the pass `name` of the estimator `model` leaves its tapped maps, a
        list, as `student_feats[name]`, if that pass is distilled now."""
        if self.strength == 0 or name not in self.passes or not self.graphs:
            yield
            return
        with self.recorder.recording(model) as maps:
            student_feats[name] = maps
            yield

    def run_teacher(self, outputs: StepOutputs) -> None:
        """Put what the teacher says about the clean target into `outputs.teacher`."""
        if self.strength == 0:
            return
        if self.teacher is None:
            raise RuntimeError(
                'the distiller has no teacher: add `default_hooks.distill = '
                "dict(type='IsomorphicGraphDistillHook')` to the config, or call "
                'attach_teacher(), or set_strength(0) to train without one'
            )
        outputs.teacher = self.teacher(outputs.target)

    def forward(self, outputs: StepOutputs) -> dict[str, Tensor]:
        """Losses by name, each with the prefix `loss_distill_`.

        Reads `student_feats`, `teacher`, `target` from `outputs`; writes to `notes`. All names and
        all parameters take part at any strength, so DDP meets no unused one.
        """
        zero = outputs.target.new_zeros(())
        parameters = [parameter.flatten() for parameter in self.parameters()]
        if parameters:
            zero = zero + 0 * torch.cat(parameters).sum()
        totals = dict.fromkeys(self.loss_names, zero)
        if self.strength > 0 and self.graphs:
            compiled = 'distiller' in outputs.compiled
            found, notes = run(compiled, type(self)._compare, self, outputs, self.diagnose)
            share = (self.strength if self.factor is None else self.factor) / len(found)
            for values in found:
                for name, value in values.items():
                    totals[name] = totals[name] + share * value
            outputs.notes.update(notes)
        return {f'loss_distill_{name}': value for name, value in totals.items()}

    def _compare(
        self, outputs: StepOutputs, diagnose: bool
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Losses by name of every pair, and notes."""
        pairs = self.graph_pairs(outputs)
        found = [{name: loss(pair) for name, loss in losses.items()} for losses, pair in pairs]
        # one pass after the other meets the same graph of the teacher
        learnt = [pair.teacher for _, pair in pairs[:: len(self.passes)] if pair.teacher.learnt]
        if not (diagnose and learnt):
            return found, {}
        logits, grid = _answer(outputs).get('logits'), self.grid(outputs.target)
        return found, describe_graphs(learnt, logits, grid)

    def grid(self, images: Tensor) -> tuple[int, int]:
        """(rows, columns) of the vertices for images (B, 3, H, W)."""
        rows, columns = (max(1, round(side / self.stride)) for side in images.shape[-2:])
        return rows, columns

    def graph_pairs(self, outputs: StepOutputs) -> list[tuple[nn.ModuleDict, GraphPair]]:
        """Losses and graphs of every pair of taps and every pass. A pass that was not made or saw
        part of the batch, or a map of another width than its tap declares, is refused."""
        grid, pairs = self.grid(outputs.target), []
        for module, (s, t) in zip(self.graphs, self.pairs, strict=True):
            maps = [self._student_map(outputs, name, s) for name in self.passes]
            dtype = torch.promote_types(torch.float32, maps[0].dtype)
            target = _answer(outputs)['feats'][t].to(dtype)
            teacher = module.model_graph(target, grid, 'teacher')
            for map_ in maps:
                student = module.model_graph(map_.to(dtype), grid, 'student')
                pairs.append((module.losses, GraphPair(student, teacher)))
        return pairs

    def _student_map(self, outputs: StepOutputs, name: str, index: int) -> Tensor:
        if name not in outputs.student_feats:
            raise ValueError(
                f'the distiller shall distil the pass {name!r}, but the depth network made none of '
                f'that name (there are {sorted(outputs.student_feats)}); add the loss that '
                'makes it, or change `distiller.passes`'
            )
        map_, count = outputs.student_feats[name][index], len(outputs.target)
        if len(map_) != count:
            raise ValueError(
                f'the distiller shall distil the pass {name!r}, which saw {len(map_)} of {count} '
                'images: set `samples=1.0` in the loss that makes it, or change `distiller.passes`'
            )
        return map_


def _answer(outputs: StepOutputs) -> Mapping[str, Any]:
    assert outputs.teacher is not None, 'run_teacher() comes first'
    return outputs.teacher


def _pair_taps(
    student_taps: Sequence[Mapping], teacher_taps: Sequence[Mapping], pairs: Any
) -> list[tuple[int, int]]:
    """Which student tap goes with which teacher tap."""
    counts = len(student_taps), len(teacher_taps)
    for role, taps in (('student', student_taps), ('teacher', teacher_taps)):
        if not taps:
            raise ValueError(f'the distiller needs at least one {role} tap, got none')
        for tap in taps:
            if not isinstance(tap.get('channels'), int):
                raise ValueError(
                    f'the {role} tap {dict(tap)} must declare its channels, as in '
                    "dict(module='backbone', index=3, channels=256, stride=16)"
                )
    if pairs is None:
        if counts[0] != counts[1] and 1 not in counts:
            raise ValueError(
                f'{counts[0]} student taps and {counts[1]} teacher taps do not pair up: say which '
                'go together, as in pairs=[(0, 1), (1, 2)]'
            )
        return [(i % counts[0], i % counts[1]) for i in range(max(counts))]
    chosen = [(int(s), int(t)) for s, t in pairs]
    if not chosen or any(not (0 <= s < counts[0] and 0 <= t < counts[1]) for s, t in chosen):
        raise ValueError(
            f'pairs must be indices of {counts[0]} student taps and {counts[1]} teacher taps, '
            f'got {pairs}'
        )
    return chosen

"""What one training step knows: read by losses, pixel weights and the distiller."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmscd.ops import choose_form

_ABSENT: Any = None  # what a step may lack
_PER_SAMPLE = ('target', 'sources', 'K', 'inv_K', 'T_source_target', 'network_input', 'draw_key')
_NAMES_OF_BEFORE = dict(estimate_disps='rerun', diagnostics='notes')


@dataclass(kw_only=True, repr=False, eq=False)
class StepOutputs:
    """One training step, after the networks have run on the clean images.

    What another part of the model makes (`teacher`, passes, pixel weights) is there only if that
    part is on. A part says on its class what it `needs` and `makes`, tuples of names, so that a
    model which lacks something, or a schedule in the wrong order, is refused before training:
    `teacher` (made by the distiller), `pixel_weights.<name>`, or the name of a pass of the depth
    network (`perturbed`).

    Attributes:
        target: clean target images in [0, 1], (B, 3, H, W).
        sources: clean source images, (B, S, 3, H, W).
        source_ids: frame ids of the sources, `'s'` is the stereo partner.
        K, inv_K: intrinsics in pixels, (B, 3, 3).
        T_source_target: (B, S, 4, 4), takes points of the target's camera to the source's.
        network_input: what the networks saw, jittered and normalised, (B, F, 3, H, W).
        draw_key: int64 (B,), for random draws, see `utils.keyed_random`.
        disps: disparities of the target in (0, 1), (B, 1, h_k, w_k), finest first.
        feats: the backbone's maps.
        depth_range: (min_depth, max_depth), metres up to scale.
        rerun: `rerun(image, name)`: the same depth network once more, batch normalisation as at
            inference (`running_statistics`), on an image (n, 3, H, W) in [0, 1]; gives
            disparities. `name` says which pass it is (`perturbed`, `source`).
        student_feats: the distiller's maps of the depth network by pass.
        pixel_weights: by name, how much a pixel of the target counts, (B, 1, H, W) in [0, 1].
        teacher: dict with `feats`, a list of maps, and `logits` (B, C, h, w) or None: what the
            semantic teacher says about the target; None while there is none at work.
        perturbed: what the last perturbation returned, for tools.
        notes: scalars that shall be logged and watched; no name may contain `loss`, because
            mmengine adds up everything that does.
        extras: what else a data preprocessor puts out; `first` leaves it whole.
        kernels: which form of the operations in `mmscd.ops` runs: what `ops.choose_form` gives.
        compiled: parts of the step that run by `torch.compile`, see `utils.compiling`.
        memo: results that are made once per step, see `once`.
    """

    target: Tensor
    sources: Tensor = _ABSENT
    source_ids: tuple[int | str, ...] = ()
    K: Tensor = _ABSENT
    inv_K: Tensor = _ABSENT
    T_source_target: Tensor = _ABSENT
    network_input: Tensor = _ABSENT
    draw_key: Tensor = _ABSENT
    disps: list[Tensor] = field(default_factory=list)
    feats: tuple[Tensor, ...] = ()
    depth_range: tuple[float, float] = (0.1, 100.0)
    rerun: Callable[[Tensor, str], list[Tensor]] = _ABSENT
    student_feats: dict[str, list[Tensor]] = field(default_factory=dict)
    pixel_weights: dict[str, Tensor] = field(default_factory=dict)
    teacher: Mapping[str, Any] | None = None
    perturbed: Any = None
    notes: dict[str, Tensor] = field(default_factory=dict)
    extras: dict[str, Tensor] = field(default_factory=dict)
    kernels: str = 'torch'
    compiled: tuple[str, ...] = ()
    memo: dict[str, tuple] = field(default_factory=dict)

    def first(self, count: int) -> StepOutputs:
        """The first `count` samples alone, with notes of their own.

        What was made for the whole batch (`memo`, `perturbed`) is left behind; of the teacher's
        answer `feats` and `logits` are cut, further entries are not.
        """
        if count >= len(self.target):
            return replace(self, notes={})
        cut: dict[str, Any] = {}
        for name in _PER_SAMPLE:
            if (value := getattr(self, name)) is not None:
                cut[name] = value[:count]
        cut['pixel_weights'] = {name: w[:count] for name, w in self.pixel_weights.items()}
        cut['disps'] = [disp[:count] for disp in self.disps]
        cut['feats'] = tuple(map_[:count] for map_ in self.feats)
        cut['student_feats'] = {
            name: [map_[:count] for map_ in maps] for name, maps in self.student_feats.items()
        }
        if self.teacher is not None:
            logits = self.teacher.get('logits')
            cut['teacher'] = dict(
                self.teacher,
                feats=[map_[:count] for map_ in self.teacher.get('feats', ())],
                logits=None if logits is None else logits[:count],
            )
        return replace(self, **cut, perturbed=None, notes={}, memo={})

    def once(self, name: str, inputs: Iterable[Any], compute: Callable[[], Any]) -> Any:
        """Result of `compute()`, made once per step.

        Args:
            name: of the result.
            inputs: the objects that it is a function of; for others it is made anew, so that a
                changed copy of the outputs gets what belongs to it.
            compute: takes nothing.
        """
        inputs = tuple(inputs)
        known = self.memo[name][0] if name in self.memo else (_ABSENT, *inputs)
        if len(known) != len(inputs) or any(a is not b for a, b in zip(known, inputs, strict=True)):
            self.memo[name] = inputs, compute()
        return self.memo[name][1]

    def __getitem__(self, name: str) -> NoReturn:
        """Outputs were a mapping once: a TypeError names the attribute."""
        raise TypeError(
            f'outputs are no mapping: read outputs.{_NAMES_OF_BEFORE.get(name, name)} instead of '
            f'outputs[{name!r}]'
        )


def collapse_notes(outputs: StepOutputs) -> dict[str, Tensor]:
    """Scalars by which `CollapseMonitorHook` tells a collapse."""
    disp = outputs.disps[0].detach()
    # a sigmoid at its far end is 0 in every pixel, which is flat and not 0 / 0
    mean = disp.mean((1, 2, 3)).clamp(min=1e-6)
    notes = dict(disp_spread=(disp.std((1, 2, 3)) / mean).mean())
    notes['disp_saturation'] = (disp > 0.95).float().mean()
    low, high = outputs.depth_range  # 95 % of max_depth is a matter of 1 / depth
    far = (1 / 0.95 - 1) * low / (high - low)
    notes['disp_saturation_far'] = (disp < far).float().mean()
    T = outputs.T_source_target.detach()
    # slices: a list as index would be copied to the device
    temporal = [T[:, i, :3, 3] for i, f in enumerate(outputs.source_ids) if f != 's']
    if temporal:
        notes['pose_translation'] = torch.stack(temporal, 1).norm(dim=-1).mean()
    return notes


@functools.cache
def form_of_kernels(kernels: str, device: str) -> str:
    """`ops.choose_form`; once per process the log says why a faster form cannot run."""
    form, reason = choose_form(kernels, device)
    if reason is not None:
        print_log(reason, 'current', logging.WARNING)
    return form


def check_needs(parts: Mapping[str, nn.Module]) -> None:
    """Refuse a model of which a part (by its key under `model`, as in `losses.texture`) needs what
    no other makes: names both and the mend."""
    # weights are made under their own names
    made = {*parts, *(name for part in parts.values() for name in makes_of(part))}
    for key, part in parts.items():
        for need in needs_of(part):
            if need not in made:
                off = 'change distiller.passes' if key == 'distiller' else f'set model.{key}=None'
                raise ValueError(
                    f'model.{key} ({type(part).__name__}) needs {need!r}, which no part of the '
                    f'model makes: {_how_to_make(need)}, or {off}'
                )


def _how_to_make(need: str) -> str:
    if need == 'teacher':
        return 'give the model a distiller'
    if need.startswith('pixel_weights.'):
        return f'add model.{need}'
    return f'add a loss that makes it (`makes = ({need!r},)` on its class)'


def needs_of(part: nn.Module) -> tuple[str, ...]:
    """What a part reads that another part has to make."""
    return tuple(getattr(part, 'needs', ()))


def makes_of(part: nn.Module) -> tuple[str, ...]:
    """What a part makes for others."""
    return tuple(getattr(part, 'makes', ()))

"""Weight 0 for things that move, found by the semantic teacher and by the images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from mmscd.models.losses import (
    error_of_disps,
    identity_error,
    structure_difference,
)
from mmscd.models.losses.structure_consistency_loss import OCCLUSION
from mmscd.models.outputs import StepOutputs
from mmscd.registry import MODELS

# by Cityscapes' train ids, which teachers of 19 classes without names are taken to have
_CITYSCAPES = ('person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle')
MOVABLE_CLASSES = dict(zip(_CITYSCAPES, range(11, 19), strict=True))
# what other data sets call them
_SYNONYMS = ('van', 'vehicle', 'pedestrian', 'bicyclist', 'motorcyclist', 'minibike', 'motorbike')
MOVABLE_NAMES = (*_CITYSCAPES, *_SYNONYMS)
REFERENCE_WIDTH = 640


def movable_mask(
    logits: Tensor, size: tuple[int, int], classes: Sequence[int], min_mass: float = 0.5
) -> Tensor:
    """bool (B, 1, *size): where the softmax mass of `classes` together, interpolated from logits
    (B, C, h, w), is above `min_mass`. A class that the logits do not have is refused."""
    if max(classes) >= logits.shape[1]:
        raise ValueError(
            f'the teacher knows {logits.shape[1]} classes, MovingObjectWeight.classes names '
            f'{tuple(classes)}: give the ids of the movable classes of its data set'
        )
    share = logits.float().softmax(1)
    # an index of Python numbers would be copied to the device
    mass = torch.stack([share[:, i] for i in classes], 1).sum(1, keepdim=True)
    return F.interpolate(mass, size, mode='bilinear') > min_mass


def movable_ids(
    classes: Sequence[int | str] | None, names: Sequence[str] | None, count: int | None
) -> tuple[int, ...]:
    """Ids, in logits of `count` classes that are called `names` (None: the teacher does not say),
    of `classes`: ids as they are, names as the teacher has them, None: `MOVABLE_NAMES`.
    ValueError: a class that the teacher does not know, or none is left."""
    wanted = MOVABLE_NAMES if classes is None else classes
    where = {name.lower(): i for i, name in enumerate(names or ())}
    if not where and count == 19:
        where = dict(MOVABLE_CLASSES)
    found = {name: where.get(name.lower()) if isinstance(name, str) else name for name in wanted}
    ids = tuple(i for i in found.values() if i is not None)
    missing = [name for name, i in found.items() if i is None]
    if not ids or (classes is not None and missing):
        listed = ', '.join(names or ()) or f'{count} classes without names'
        raise ValueError(
            f'MovingObjectWeight: the teacher does not know {missing} but {listed}: give `classes` '
            'the names or ids of its movable classes'
        )
    return ids if classes is not None else tuple(sorted(ids))


def window_mean(values: Tensor, mask: Tensor, window: int) -> Tensor:
    """Mean of (B, 1, H, W) over the pixels of a bool mask in a square window, of an odd side,
    around each pixel; 0 where the window has none."""
    both = torch.cat([torch.where(mask, values, 0), mask.to(values.dtype)], 1)
    half = window // 2
    # one axis after the other: the cost grows with the side, not with its square
    for kernel, padding in (((window, 1), (half, 0)), ((1, window), (0, half))):
        both = F.avg_pool2d(both, kernel, 1, padding)
    return both[:, :1] / both[:, 1:].clamp(min=1e-6)


@MODELS.register_module()
class MovingObjectWeight(nn.Module):
    """0 on movable things that violate the static scene, 1 elsewhere.

    The photometric loss explains a car that drives ahead by putting it far away: a hole in the
    depth map. That a thing *can* move is what the semantic teacher says; whether it *does* is
    judged over the movable pixels in a window, since the auto-mask, pixel by pixel, is too noisy to
    close such holes:

    - the un-warped sources explain them as well as the warped ones: mean identity error <=
      (1 + tolerance) x mean warped error. A car at the camera's own speed is better explained
      without warping; one already put infinitely far is explained alike; a parked one much worse;
    - or the depths of target and source contradict each other: mean `structure_difference` above
      `threshold`. Oncoming traffic is caught by this.

    With a still camera nothing can be told apart and everything movable gets 0; there is nothing to
    learn from such frames anyway.

    Args:
        mode: `'inconsistent'`, or `'all'`: every movable pixel gets 0, parked cars too.
        classes: movable classes, by the names that the teacher's checkpoint gives them or by their
            ids in its logits; None: those of `MOVABLE_NAMES` that the teacher has.
        min_mass: softmax mass of these classes together above which a pixel is movable.
        threshold: of the structure difference; None leaves it out, and saves the extra depth pass
            where nothing else needs it.
        tolerance: see above; None leaves the test of the images out.
        window: side of the window in pixels of an image 640 wide; it scales with the width.
        occlusion: see `structure_difference`.
        require: what an absent `outputs.teacher` means. False: the distiller's schedule is off
            in this step and all weights are 1. True: a mistake, and an error; for schedules that
            are never off. A model without any distiller is refused when it is built.

    Notes `moving_share`: pixels with the weight 0.
    """

    needs = ('teacher',)

    def __init__(
        self,
        mode: str = 'inconsistent',
        classes: Sequence[int | str] | None = None,
        min_mass: float = 0.5,
        threshold: float | None = 0.2,
        tolerance: float | None = 0.1,
        window: int = 48,
        occlusion: float | None = OCCLUSION,
        require: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ('inconsistent', 'all'):
            raise ValueError(f"mode must be 'inconsistent' or 'all', got {mode!r}")
        if mode == 'inconsistent' and threshold is None and tolerance is None:
            raise ValueError("mode='inconsistent' needs a threshold or a tolerance, got neither")
        if classes is not None and not all(
            [classes, *(isinstance(c, str) or c >= 0 for c in classes)]
        ):
            raise ValueError(f'classes must be names or ids >= 0, at least one, got {classes}')
        self.mode, self.require = mode, require
        self.classes, self.min_mass = classes, min_mass
        self.threshold, self.tolerance = threshold, tolerance
        self.window, self.occlusion = window, occlusion

    @torch.no_grad()
    def forward(self, outputs: StepOutputs) -> Tensor:
        """(B, 1, H, W), 0 or 1. Refused: no teacher although `require`, or one without logits."""
        target, logits = outputs.target, self._logits(outputs)
        if logits is None:
            moving = torch.zeros_like(target[:, :1], dtype=torch.bool)
        else:
            ids = movable_ids(self.classes, (outputs.teacher or {}).get('classes'), logits.shape[1])
            moving = movable_mask(logits, target.shape[-2:], ids, self.min_mass)
            if self.mode == 'inconsistent':
                moving = moving & self._violates(outputs, moving)
        outputs.notes['moving_share'] = moving.float().mean()
        return (~moving).to(target.dtype)

    def check_teacher(self, teacher: nn.Module) -> None:
        """Refuse a teacher without movable classes; warn of a class list other than Cityscapes'."""
        names: Sequence[str] = getattr(teacher, 'classes', None) or ()
        count = getattr(teacher, 'num_classes', None)
        if not names and count is None:  # the first logits tell
            return
        ids = movable_ids(self.classes, names, count)
        if self.classes is None and ids != tuple(MOVABLE_CLASSES.values()):
            chosen = ', '.join(f'{i} {names[i]}' for i in ids)
            told = f"not Cityscapes'; movable by their names: {chosen}"
            print_log(f"MovingObjectWeight: the teacher's classes are {told}", 'current', 30)

    def _logits(self, outputs: StepOutputs) -> Tensor | None:
        teacher = outputs.teacher
        if teacher is None:
            if self.require:
                raise ValueError(
                    'MovingObjectWeight(require=True): there is no outputs.teacher; set '
                    'model.distiller with a teacher whose schedule begins at 0, or require=False'
                )
            return None
        if teacher.get('logits') is None:
            raise ValueError(
                'MovingObjectWeight needs semantic logits and the teacher hands over none: set '
                'needs_logits=True in model.distiller.teacher'
            )
        return teacher['logits']

    def _violates(self, outputs: StepOutputs, movable: Tensor) -> Tensor:
        """Pixels around which movable things do not behave as a static scene does, bool."""
        window = 2 * round(self.window * movable.shape[-1] / REFERENCE_WIDTH / 2) + 1
        violates = torch.zeros_like(movable)
        if self.threshold is not None:
            # with gradient: the loss may use the same map
            with torch.enable_grad():
                difference, valid = structure_difference(outputs, self.occlusion)
            mean = window_mean(difference.detach(), movable & valid, window)
            violates |= mean > self.threshold
        if self.tolerance is not None:
            identity = identity_error(outputs)
            static = (1 + self.tolerance) * self._warped_error(outputs)
            violates |= window_mean(identity - static, movable, window) <= 0
        # at the rim of a thing windows see what is around it: let its inside decide
        return window_mean(violates.float(), movable, window) >= 0.5

    def _warped_error(self, outputs: StepOutputs) -> Tensor:
        """Smallest photometric error over the warped sources at the finest scale, (B, 1, H, W)."""
        return error_of_disps(outputs, outputs.disps[:1])[0]

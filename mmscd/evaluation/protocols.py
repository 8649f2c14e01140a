"""Evaluation protocols as data: which pixels count, how predictions are aligned and clipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mmscd.utils.names import check_names

from .functional import (
    ALIGNMENTS,
    METRIC_NAMES,
    align_depth,
    clip_depth,
    depth_errors,
    is_computed,
    is_usable,
    scale_ratio,
    valid_pixels,
)
from .label_files import OBJECTS, LabelsBeside


@dataclass(frozen=True)
class DepthProtocol:
    """What makes two depth numbers comparable.

    Args:
        name: shown in the table.
        crop: see `functional.crop_bounds`.
        min_depth, max_depth: predictions are clipped to them, metres, positive.
        alignment: one of `functional.ALIGNMENTS`.
        scale: the factor of the alignment 'fixed'.
        gt_min, gt_max: ground truth counts between them (exclusive); None: as the prediction's.
        labels: arguments of `LabelsBeside`, where pixels of objects are scored apart as
            `objects_abs_rel`, aligned with all pixels.

    Raises:
        ValueError: a field has no sense.
    """

    name: str = 'default'
    crop: str | Sequence[float] = 'none'
    min_depth: float = 1e-3
    max_depth: float = 80.0
    alignment: str = 'median'
    scale: float = 1.0
    gt_min: float | None = None
    gt_max: float | None = None
    labels: Sequence[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.alignment not in ALIGNMENTS:
            raise ValueError(f'alignment must be one of {ALIGNMENTS}, got {self.alignment!r}')
        if not 0 < self.min_depth < self.max_depth:
            raise ValueError(
                f'expected 0 < min_depth < max_depth, got {self.min_depth} and {self.max_depth}; '
                'to count ground truth down to 0 set gt_min=0'
            )
        if not 0 < self.scale < math.inf:
            raise ValueError(f'scale must be a positive number, got {self.scale}')
        if self.scale != 1 and self.alignment != 'fixed':
            raise ValueError(f"scale is of the alignment 'fixed', got {self.alignment!r}")
        if self.labels is not None:
            if isinstance(self.labels, str) or len(self.labels) != 2:
                raise ValueError(f'labels must be two parts of paths, got {self.labels!r}')
            object.__setattr__(self, 'labels', tuple(self.labels))
        if self.gt_bounds[0] < 0:
            raise ValueError(f'gt_min must not be negative, got {self.gt_min}')

    @property
    def gt_bounds(self) -> tuple[float, float]:
        """Exclusive bounds of the ground truth that counts, metres."""
        low = self.min_depth if self.gt_min is None else self.gt_min
        return low, self.max_depth if self.gt_max is None else self.gt_max

    def find_objects(
        self, img_path: str, index: np.ndarray, shape: tuple[int, int]
    ) -> np.ndarray | None:
        """Which of the pixels `index` (N,) of an image (H, W) show objects, bool (N,); None where
        the protocol has no `labels`."""
        if self.labels is None:
            return None
        return LabelsBeside(*self.labels).objects(img_path, shape).ravel()[index]

    def describe(self) -> str:
        """One line: everything that a number depends on."""
        low, high = self.gt_bounds
        bound = f'{low:g} < gt' if math.isinf(high) else f'{low:g} < gt < {high:g} m'
        align = f'fixed x {self.scale:g}' if self.alignment == 'fixed' else self.alignment
        clip = f'clipped to {self.min_depth:g}..{self.max_depth:g} m'
        return f'{self.name}: crop {self.crop}, {bound}, alignment {align}, {clip}'


_KITTI = DepthProtocol('kitti_eigen', crop='garg')
_IMPROVED = DepthProtocol('kitti_eigen_improved', gt_min=0.0, gt_max=math.inf)
_ROBOTCAR = DepthProtocol('robotcar_night', crop='centre:1152x640', min_depth=1e-5)
_CITYSCAPES_WINDOW = (256, 768, 192, 1856)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        DepthProtocol('default', gt_min=0.0),
        _KITTI,
        replace(_KITTI, name='kitti_eigen_stereo', alignment='none'),
        # the published code takes every pixel of the improved ground truth and clips predictions
        _IMPROVED,
        replace(_IMPROVED, name='kitti_eigen_improved_stereo', alignment='none'),
        replace(_KITTI, name='kitti_c'),
        replace(_IMPROVED, name='driving_stereo'),
        # RNW (ICCV 2021); md4all (ICCV 2023) has its own bounds for `nuscenes` and `robotcar`
        DepthProtocol('nuscenes_night', min_depth=1e-5, max_depth=60.0),
        DepthProtocol('nuscenes', min_depth=0.1),
        replace(_ROBOTCAR, name='robotcar_night_40m', max_depth=40.0),
        replace(_ROBOTCAR, name='robotcar_night_60m', max_depth=60.0),
        DepthProtocol('robotcar', min_depth=0.1, max_depth=50.0),
        # ManyDepth (CVPR 2021); the same window whether or not the lower quarter is cut off already
        DepthProtocol('cityscapes', crop=_CITYSCAPES_WINDOW),
        DepthProtocol('foggy_cityscapes', crop=_CITYSCAPES_WINDOW),
        # C1 of Karsch et al. (PAMI 2014): only near ground truth; the central window is cut out of
        # the truth by the data set. Published code does not clip from below
        DepthProtocol('make3d_c1', max_depth=70.0, gt_min=0.0),
        DepthProtocol('ddad', max_depth=200.0, gt_min=0.0),
        # monodepth (CVPR 2017): all pixels with a disparity
        replace(_IMPROVED, name='kitti_2015'),
        replace(_IMPROVED, name='kitti_2015_stereo', alignment='none'),
        # the seven errors on the 1000 selected images; the server ranks by SILog, unscaled
        replace(_IMPROVED, name='kitti_depth_benchmark', alignment='none', max_depth=255.0),
    )
}


_BASE_OPTIONS = ('prefix', 'collect_device', 'collect_dir')
_FIELDS = tuple(one.name for one in fields(DepthProtocol))


def get_protocol(protocol: str | Mapping[str, Any] | DepthProtocol = 'default') -> DepthProtocol:
    """A protocol from what a config says.

    Args:
        protocol: a key of `PROTOCOLS`; or `dict(preset='kitti_eigen', max_depth=50)`, a preset with
            other values of some fields of `DepthProtocol` (None leaves a field as it is), which is
            then called '<name> (modified)', so that it is not taken for the preset; without
            `preset` the fields of a protocol called 'custom'.

    Raises:
        ValueError: unknown name or field.
    """
    if isinstance(protocol, DepthProtocol):
        return protocol
    changes = dict(preset=protocol) if isinstance(protocol, str) else dict(protocol)
    check_names('key of a protocol', changes, ('preset', *_FIELDS))
    if 'preset' not in changes:
        return DepthProtocol(**{'name': 'custom', **changes})
    preset = changes.pop('preset')
    check_names('protocol', [preset], PROTOCOLS)
    found = PROTOCOLS[preset]
    changes = {k: v for k, v in changes.items() if v is not None and v != getattr(found, k)}
    if changes:
        changes.setdefault('name', f'{preset} (modified)')
    return replace(found, **changes)


def refuse_fields_beside(metric: str, protocol: Any, options: Mapping[str, Any]) -> None:
    """TypeError where a metric gets fields of a protocol beside its `protocol` (says where they
    belong), or options that `BaseMetric` does not know."""
    moved = [name for name in options if name in _FIELDS]
    if moved:
        preset = dict(preset=getattr(protocol, 'name', protocol))
        given = dict(protocol) if isinstance(protocol, Mapping) else preset
        said = ', '.join(f'{k}={v!r}' for k, v in {**given, **options}.items())
        raise TypeError(f'{metric}: {", ".join(moved)} belong to protocol=dict({said})')
    unknown = [name for name in options if name not in _BASE_OPTIONS]
    if unknown:
        raise TypeError(f'{metric} has no argument {", ".join(unknown)}')


def select_pixels(
    gt: np.ndarray, protocol: DepthProtocol, name: object = None
) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices (N,) and true depths float64 (N,) of the pixels that count in `gt` (H, W).
    ValueError, with the `name` of the image: the crop does not fit."""
    low, high = protocol.gt_bounds
    try:
        return valid_pixels(gt, low, high, protocol.crop)
    except ValueError as error:
        raise ValueError(f'{name}: {error}' if name else str(error)) from None


def align_pixels(pred: np.ndarray, gt: np.ndarray, protocol: DepthProtocol) -> np.ndarray:
    """Predictions float64 (N,) as they are compared with `gt` (N,): aligned, then clipped."""
    aligned = align_depth(pred, gt, protocol.alignment, protocol.scale)
    return clip_depth(aligned, protocol.min_depth, protocol.max_depth)


def evaluate_pixels(
    pred: np.ndarray,
    gt: np.ndarray,
    protocol: DepthProtocol,
    objects: np.ndarray | None = None,
) -> dict[str, float | int]:
    """Align, clip and judge the predictions at the valid pixels of one image.

    Args:
        pred: float (N,), predicted depth, not clipped.
        gt: float (N,), N > 0, metres.
        protocol: alignment and clipping.
        objects: bool (N,), see `DepthProtocol.find_objects`.

    Returns:
        the metrics of `depth_errors`; `scale_ratio` = median(gt) / median(pred) before any
        alignment; `n_pixels`; `n_unusable`: predictions that are not finite and positive. These
        take no part in the alignment, then count as min_depth, or as max_depth where they are
        +infinity. Metrics and ratio are NaN where a prediction is NaN or none is usable. With
        `objects` also `objects_abs_rel`, NaN where there are none.
    """
    pred, errors = np.asarray(pred, np.float64), dict.fromkeys(METRIC_NAMES, math.nan)
    if objects is not None:
        errors[OBJECTS] = math.nan
    if computed := is_computed(pred):
        aligned = align_pixels(pred, gt, protocol)
        errors |= depth_errors(aligned, gt)
        if objects is not None and objects.any():
            errors[OBJECTS] = depth_errors(aligned[objects], gt[objects])['abs_rel']
    return dict(
        errors,
        scale_ratio=scale_ratio(pred, gt) if computed else math.nan,
        n_pixels=int(gt.size),
        n_unusable=int(gt.size - np.count_nonzero(is_usable(pred))),
    )


def evaluate_depth(
    pred: np.ndarray, gt: np.ndarray, protocol: DepthProtocol
) -> dict[str, float | int] | None:
    """`evaluate_pixels` of whole maps (H, W) of one size, 0 where nothing was measured; None where
    no pixel of the ground truth counts.

    Raises:
        ValueError: the shapes differ.
    """
    if pred.shape != gt.shape:
        raise ValueError(f'pred has shape {pred.shape}, gt {gt.shape}: resize pred first')
    index, depth = select_pixels(gt, protocol)
    return evaluate_pixels(pred.ravel()[index], depth, protocol) if depth.size else None

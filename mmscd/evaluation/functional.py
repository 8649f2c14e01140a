"""Depth metrics as pure functions on numpy arrays: errors, crops, alignments, resizing.

Everything here follows the published evaluation code of the Eigen split: metrics per image, mean
over images by the caller; the prediction is aligned un-clipped on the valid pixels inside the crop,
and clipped afterwards. Arithmetic is float64.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np

METRIC_NAMES = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'delta1', 'delta2', 'delta3')
HIGHER_IS_BETTER = frozenset({'delta1', 'delta2', 'delta3'})
ALIGNMENTS = ('median', 'least_squares', 'fixed', 'none')

# (top, bottom, left, right) as fractions of the image's height and width, of Garg et al.,
# "Unsupervised CNN for single view depth estimation", ECCV 2016, and of Eigen et al., "Depth map
# prediction from a single image ...", NeurIPS 2014
FRACTION_CROPS = {
    'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}


def to_numpy(array: Any) -> np.ndarray:
    """One map, an array or tensor of any device, as numpy (H, W) without leading axes of 1."""
    if hasattr(array, 'detach'):
        # numpy knows no bfloat16
        array = array.detach().float().cpu().numpy()
    array = np.asarray(array)
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2:
        raise ValueError(f'expected one map of shape (H, W) or (1, H, W), got shape {shape}')
    return array


def depth_errors(
    pred: np.ndarray, gt: np.ndarray, mask: np.ndarray | None = None
) -> dict[str, float]:
    """The seven standard errors of one image.

    Args:
        pred, gt: predicted and true depth, metres, same shape, positive where `mask` is true.
        mask: bool, same shape: the pixels that count; None counts all.

    Returns:
        abs_rel, sq_rel (metres), rmse (metres), rmse_log (natural logarithm), and delta1..3, the
        shares of pixels with max(pred/gt, gt/pred) < 1.25, 1.25^2, 1.25^3.

    Raises:
        ValueError: shapes differ, no pixel counts, or a value that counts is not positive.
    """
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    if pred.shape != gt.shape:
        raise ValueError(f'pred has shape {pred.shape}, gt {gt.shape}: resize pred first')
    if mask is not None:
        pred, gt = pred[mask], gt[mask]
    if gt.size == 0:
        raise ValueError('no valid ground-truth pixel: leave such an image out and count it')
    if not (pred.min() > 0 and gt.min() > 0):  # also refuses NaN
        raise ValueError('pred and gt must be positive and finite wherever they are compared')
    diff, ratio = gt - pred, pred / gt
    square, log_ratio = diff * diff, np.log(ratio)
    worst = np.maximum(ratio, 1 / ratio)
    return dict(
        abs_rel=float(np.mean(np.abs(diff) / gt)),
        sq_rel=float(np.mean(square / gt)),
        rmse=float(np.sqrt(np.mean(square))),
        rmse_log=float(np.sqrt(np.mean(log_ratio * log_ratio))),
        delta1=float(np.mean(worst < 1.25)),
        delta2=float(np.mean(worst < 1.25**2)),
        delta3=float(np.mean(worst < 1.25**3)),
    )


def crop_bounds(crop: Any, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Rows top..bottom and columns left..right (ends excluded) of a crop of an image (H, W).

    A crop is 'garg' or 'eigen' (fractions, truncated to ints as in the published code), 'none' or
    None, 'foggy_cityscapes' (the lower quarter off, then rows from 256 and columns 192 to 1856),
    'centre:WxH' (e.g. 'centre:1152x640'), or four numbers (top, bottom, left, right): floats are
    fractions, ints are pixels. ValueError: another one, or it does not fit into the image.
    """
    height, width = int(shape[0]), int(shape[1])
    centre = re.fullmatch(r'centre:(\d+)x(\d+)', crop) if isinstance(crop, str) else None
    bounds = FRACTION_CROPS.get(crop) if isinstance(crop, str) else crop
    if crop is None or crop == 'none':
        bounds = (0, height, 0, width)
    elif crop == 'foggy_cityscapes':
        bounds = (256, int(round(0.75 * height)), 192, 1856)
    elif centre:
        size = int(centre[2]), int(centre[1])
        top, left = (height - size[0]) // 2, (width - size[1]) // 2
        bounds = (top, top + size[0], left, left + size[1])
    elif bounds is None or len(bounds) != 4:
        names = sorted(FRACTION_CROPS) + ['none', 'foggy_cityscapes', 'centre:WxH', '4 numbers']
        raise ValueError(f'unknown crop {crop!r}: expected one of {names}')
    elif any(isinstance(value, float) for value in bounds):
        sides = (height, height, width, width)
        bounds = tuple(part * side for part, side in zip(bounds, sides, strict=True))
    top, bottom, left, right = (int(value) for value in bounds)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(
            f'crop {crop!r} gives rows {top}..{bottom}, columns {left}..{right}, which does not '
            f'fit into ground truth of {height} x {width} pixels (height x width)'
        )
    return top, bottom, left, right


def valid_pixels(
    gt: np.ndarray, gt_min: float, gt_max: float, crop: Any = 'none'
) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices int64 (N,) of the ground truth (H, W) inside the crop with gt_min < gt < gt_max,
    and the depths there, float64 (N,). NaN and infinity never count."""
    top, bottom, left, right = crop_bounds(crop, gt.shape)
    inside = gt[top:bottom, left:right]
    rows, columns = np.nonzero((inside > gt_min) & (inside < gt_max) & (inside < np.inf))
    index = (rows + top) * gt.shape[1] + (columns + left)
    return index, inside[rows, columns].astype(np.float64)


def resize_inverse_depth(inv_depth: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Inverse depth (h, w) resized bilinearly to (H, W), half-pixel convention, float32.

    Inverse depth, not depth, is what the published protocols interpolate: it is affine over planes
    of the scene, and depth edges do not smear into far points.
    """
    inv_depth = np.ascontiguousarray(inv_depth, np.float32)
    if inv_depth.shape == tuple(shape):
        return inv_depth
    return cv2.resize(inv_depth, (int(shape[1]), int(shape[0])), interpolation=cv2.INTER_LINEAR)


def invert(values: np.ndarray) -> np.ndarray:
    """1 / values without warnings: 0 becomes infinity, NaN stays."""
    with np.errstate(divide='ignore', invalid='ignore'):
        return 1 / values


def is_usable(pred: np.ndarray) -> np.ndarray:
    """True where a predicted depth is finite and positive."""
    with np.errstate(invalid='ignore'):
        return (pred > 0) & (pred < np.inf)


def is_computed(pred: np.ndarray) -> bool:
    """Whether there is a number to say of a prediction (of depth or of its inverse): no value is
    NaN, and one at least is usable. Infinite depth is an inverse depth of 0: as far as can be."""
    return not np.isnan(pred).any() and bool(is_usable(pred).any())


def scale_ratio(pred: np.ndarray, gt: np.ndarray) -> float:
    """median(gt) / median(pred) over usable predictions; NaN where there is none."""
    if pred.shape != gt.shape:
        raise ValueError(f'pred has shape {pred.shape}, gt {gt.shape}')
    usable = is_usable(pred)
    pred, gt = pred[usable], gt[usable]
    return float(np.median(gt) / np.median(pred)) if pred.size else float('nan')


def align_depth(
    pred: np.ndarray, gt: np.ndarray, alignment: str = 'median', scale: float = 1.0
) -> np.ndarray:
    """Predicted depth (N,), not clipped, at the scale of the truth (N,), metres; float64 (N,).

    'median': times median(gt) / median(pred); 'least_squares': scale and shift of the inverse
    depth, fitted to 1 / gt, then inverted (not-positive ones become infinity, which clipping takes
    to the cap); 'fixed': times `scale`, e.g. 5.4 for converted stereo weights of Monodepth2;
    'none'. Values that are not finite and positive take no part in the fit; where nothing is usable
    the prediction returns as it came.
    """
    pred = np.asarray(pred, np.float64)
    if alignment == 'none':
        return pred
    if alignment == 'fixed':
        return pred * scale
    if alignment == 'median':
        ratio = scale_ratio(pred, gt)
        return pred * ratio if np.isfinite(ratio) else pred
    if alignment != 'least_squares':
        raise ValueError(f'unknown alignment {alignment!r}: expected one of {ALIGNMENTS}')
    usable = is_usable(pred)
    if not usable.any():
        return pred
    inverse = invert(pred)
    slope, shift = _fit_line(inverse[usable], 1 / np.asarray(gt, np.float64)[usable])
    aligned = slope * inverse + shift
    return np.where(usable, invert(np.where(aligned > 0, aligned, 0.0)), pred)


def _fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least squares of y = slope x + shift; slope 0 where x is constant."""
    mean_x, mean_y = x.mean(), y.mean()
    centred = x - mean_x
    variance = float(centred @ centred)
    # a constant leaves rounding noise of its own size in the variance
    if variance <= x.size * (1e-12 * abs(mean_x)) ** 2:
        return 0.0, float(mean_y)
    slope = float(centred @ (y - mean_y)) / variance
    return slope, float(mean_y - slope * mean_x)


def clip_depth(pred: np.ndarray, min_depth: float, max_depth: float) -> np.ndarray:
    """Clip to [min_depth, max_depth]; NaN stays, as nothing can be said of it."""
    return np.clip(pred, min_depth, max_depth)


def hole_rate(pred: np.ndarray, gt: np.ndarray, movable: np.ndarray, factor: float = 1.5) -> float:
    """Share of pixels of movable things that are predicted too far: holes in moving cars.

    A network that learns from video explains a car that drives ahead by infinite distance. The mean
    errors hide it, since such cars take up few pixels. `pred` (at the scale of `gt`), `gt` and the
    bool `movable` (person, car, ..., moving or not) have one shape. A hole is `factor` times
    further than the truth, or infinite. Pixels without positive finite truth do not count; NaN
    where none is left, or a prediction that counts is NaN.
    """
    pred, gt, movable = np.asarray(pred, np.float64), np.asarray(gt), np.asarray(movable, bool)
    if not pred.shape == gt.shape == movable.shape:
        raise ValueError(
            f'pred has shape {pred.shape}, gt {gt.shape}, movable {movable.shape}: resize first'
        )
    counts = movable & is_usable(gt)
    if not counts.any() or np.isnan(pred[counts]).any():
        return float('nan')
    return float(np.mean(~(pred[counts] <= factor * gt[counts])))

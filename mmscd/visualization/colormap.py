"""Colours for depth and for errors: pure functions, numpy in, uint8 RGB out."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

# cividis looks the same with and without red-green blindness (Nunez et al., PLOS ONE 2018)
COLORMAPS = ('magma', 'inferno', 'plasma', 'viridis', 'cividis', 'turbo')
INVALID_COLOR = (96, 96, 96)


@cache
def color_table(name: str = 'magma') -> np.ndarray:
    """The 256 colours of one of `COLORMAPS` (else ValueError), uint8 RGB (256, 3), read-only.

    All are monotone to the eye, turbo excepted, which trades that for contrast.
    """
    if name not in COLORMAPS:
        raise ValueError(f'unknown colour map {name!r}: expected one of {sorted(COLORMAPS)}')
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    code = getattr(cv2, f'COLORMAP_{name.upper()}')
    table = np.ascontiguousarray(cv2.applyColorMap(ramp, code)[:, 0, ::-1])
    table.flags.writeable = False
    return table


def apply_color_table(values: np.ndarray, name: str = 'magma') -> np.ndarray:
    """uint8 RGB (H, W, 3) of values in [0, 1]; others are clipped, NaN gets `INVALID_COLOR`."""
    broken = np.isnan(values)
    index = np.clip(np.where(broken, 0, values) * 255, 0, 255).round().astype(np.uint8)
    colors = color_table(name)[index]
    colors[broken] = INVALID_COLOR
    return colors


def robust_limits(inv_depth: np.ndarray) -> tuple[float, float]:
    """Limits of the inverse depth that a few outliers do not move: its 2nd and 97th percentile.

    What is not positive and finite never counts. low < high; (0, 1) where nothing counts.
    """
    good = inv_depth[np.isfinite(inv_depth) & (inv_depth > 0)]
    if not good.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(good, (2.0, 97.0)))
    # a constant map gets the middle colour
    margin = max(abs(low), 1e-12) * 1e-3
    return (low, high) if high - low > margin else (low - margin, low + margin)


def colorize_depth(
    depth: np.ndarray,
    limits: tuple[float, float] | None = None,
    colormap: str = 'magma',
    gamma: float = 0.7,
) -> np.ndarray:
    """Colour depth on the scale of inverse depth, near bright (magma: yellow), far dark.

    Args:
        depth: (H, W), any scale; what is not positive is drawn in `INVALID_COLOR`.
        limits: (low, high) of the inverse depth; None takes robust ones of this map.
        colormap: one of `COLORMAPS`.
        gamma: exponent on the normalised inverse depth. Below 1 it spreads the far half of a
            street, which takes up few of the inverse depths but most of the picture.

    Returns:
        uint8 RGB (H, W, 3).
    """
    depth = np.asarray(depth, np.float64)
    inverse = np.divide(1, depth, where=depth > 0, out=np.full(depth.shape, np.nan))
    low, high = robust_limits(inverse) if limits is None else limits
    return apply_color_table(np.clip((inverse - low) / (high - low), 0, 1) ** gamma, colormap)


def scatter_mean(
    index: np.ndarray, values: np.ndarray, shape: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Move `values` (N,) at flat pixel indices of an image `shape` (H, W) to one of `size` (h, w).

    Returns float64 (h, w): the mean of the values that fall on a pixel, NaN where none does.
    """
    rows, columns = np.divmod(index, shape[1])
    rows = ((rows + 0.5) * size[0] / shape[0]).astype(np.int64)
    columns = ((columns + 0.5) * size[1] / shape[1]).astype(np.int64)
    flat = rows * size[1] + columns
    count, total = (np.bincount(flat, w, minlength=size[0] * size[1]) for w in (None, values))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(size)


def spread_sparse(values: np.ndarray, radius: int = 1) -> np.ndarray:
    """Let sparse points of (H, W), NaN where nothing is known, grow so that they can be seen.

    An unknown pixel gets the mean of those at most `radius` rows and columns away; known ones stay.
    """
    known = np.isfinite(values)
    size = (2 * radius + 1, 2 * radius + 1)
    options: dict[str, Any] = dict(normalize=False, borderType=cv2.BORDER_CONSTANT)
    total = cv2.boxFilter(np.where(known, values, 0.0), cv2.CV_64F, size, **options)
    count = cv2.boxFilter(known.astype(np.float64), cv2.CV_64F, size, **options)
    grown = np.where(count > 0.5, total / np.maximum(count, 1), np.nan)
    return np.where(known, values, grown)


def colorize_error(
    error: np.ndarray,
    max_error: float = 0.5,
    background: np.ndarray | None = None,
    radius: int = 1,
    colormap: str = 'turbo',
) -> np.ndarray:
    """Colour an error map, its sparse points grown, over a dim picture.

    Args:
        error: float (H, W), e.g. |pred - gt| / gt, NaN where there is no ground truth.
        max_error: drawn in the last colour, as everything above.
        background: uint8 RGB (H, W, 3), dimmed to grey; None leaves the rest dark.
        radius: see `spread_sparse`.
        colormap: one of `COLORMAPS`; turbo runs from blue over green and yellow to red.

    Returns:
        uint8 RGB (H, W, 3).
    """
    grown = spread_sparse(error, radius)
    colors = apply_color_table(grown / max_error, colormap)
    dim = np.uint8(24)
    if background is not None:
        dim = (background.astype(np.float32).mean(axis=2, keepdims=True) * 0.3).astype(np.uint8)
    return np.where(np.isnan(grown)[..., None], dim, colors)

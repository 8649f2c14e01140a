"""Panels of pictures: image, depth, error against ground truth; and pictures on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.images import write_rgb
from mmscd.evaluation.functional import invert, resize_inverse_depth, scale_ratio
from mmscd.evaluation.protocols import DepthProtocol, align_pixels, select_pixels

from .colormap import color_table, colorize_depth, colorize_error, robust_limits, scatter_mean

HEAD_HEIGHT = 24
BAR_WIDTH = 110
MIN_PANEL_WIDTH = 240
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45
_HEAD_COLOR = (28, 28, 32)
_TEXT_COLOR = (235, 235, 235)


def _draw_text(picture: np.ndarray, text: str, left: int, baseline: int) -> None:
    """Write text (ASCII) into an RGB picture in place."""
    text = text.encode('ascii', 'replace').decode()
    cv2.putText(picture, text, (left, baseline), _FONT, _FONT_SCALE, _TEXT_COLOR, 1, cv2.LINE_AA)


def text_width(text: str) -> int:
    """Width of a text in pixels."""
    return cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0]


def add_head(
    picture: np.ndarray, title: str, bar: tuple[str, np.ndarray, str] | None = None
) -> np.ndarray:
    """Put a strip of HEAD_HEIGHT on top of a panel (H, W, 3), its title cut where it does not fit.

    `bar` at its right end: text left of it, its colours uint8 (N, 3), text right of it.
    """
    width = picture.shape[1]
    head = np.full((HEAD_HEIGHT, width, 3), _HEAD_COLOR, np.uint8)
    baseline = HEAD_HEIGHT - 8
    free = width - 16
    if bar is not None:
        low, colors, high = bar
        right = width - 8 - text_width(high)
        length = min(BAR_WIDTH, width // 4)
        left = right - 6 - length
        _draw_text(head, high, right, baseline)
        steps = np.linspace(0, len(colors) - 1, length).round().astype(int)
        head[6:-6, left : left + length] = colors[steps]
        free = left - 6 - text_width(low)
        _draw_text(head, low, free, baseline)
        free -= 24
    while title and text_width(title) > free:
        title = title[:-1]
    _draw_text(head, title, 8, baseline)
    return np.concatenate([head, picture])


def stack_panels(panels: Sequence[np.ndarray], direction: str = 'auto', gap: int = 4) -> np.ndarray:
    """Join panels of the same size, uint8 RGB (H, W, 3) each, with a gap of so many pixels.

    'vertical', 'horizontal', or 'auto': below one another where they are wide; else ValueError.
    """
    height, width = panels[0].shape[:2]
    if direction == 'auto':
        direction = 'vertical' if width > 1.8 * height else 'horizontal'
    if direction not in ('vertical', 'horizontal'):
        raise ValueError(f"direction must be 'auto', 'vertical' or 'horizontal', got {direction!r}")
    axis = 0 if direction == 'vertical' else 1
    space = np.zeros((gap, width, 3) if axis == 0 else (height, gap, 3), np.uint8)
    parts = [part for panel in panels for part in (space, panel)][1:]
    return np.concatenate(parts, axis=axis)


def panel_size(shape: tuple[int, int], panel_width: int) -> tuple[int, int]:
    """(h, w) of a panel for an image of `shape` (H, W)."""
    return max(1, round(shape[0] * panel_width / shape[1])), panel_width


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a uint8 RGB image to `size` (h, w); area average where it shrinks."""
    method = cv2.INTER_AREA if size[1] < image.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=method)


def depth_panel(
    inv_depth: np.ndarray,
    size: tuple[int, int],
    factor: float | None = None,
    colormap: str = 'magma',
) -> np.ndarray:
    """Depth in colours, of `inv_depth` (h, w) at any resolution; the rest see `depth_bar`."""
    inverse = resize_inverse_depth(inv_depth, size)
    limits = robust_limits(inverse)
    colors = colorize_depth(invert(inverse), limits, colormap)
    return add_head(colors, *depth_bar(limits, factor, colormap))


def depth_bar(
    limits: tuple[float, float], factor: float | None, colormap: str
) -> tuple[str, tuple[str, np.ndarray, str]]:
    """Title and colour bar, for `add_head`, of a depth whose colours span `limits` of the inverse.

    `factor`: metres per unit of the depth; None: up to scale.
    """
    unit = '' if factor is None else ' m'
    far, near = (f'{(factor or 1.0) / max(limit, 1e-9):.3g}{unit}' for limit in limits)
    title = 'depth (up to scale)' if factor is None else 'depth'
    return title, (near, color_table(colormap)[::-1], far)


def error_panel(
    depth: np.ndarray,
    gt: np.ndarray,
    protocol: DepthProtocol,
    background: np.ndarray,
    max_error: float = 0.5,
) -> np.ndarray:
    """|pred - gt| / gt at the protocol's pixels, with the abs_rel of the image in its head.

    `depth` and `gt` are (H, W), gt in metres, 0 where nothing was measured; `background` has the
    panel's size; the colours end at `max_error`.
    """
    index, truth = select_pixels(gt, protocol)
    error, title = np.full(background.shape[:2], np.nan), 'error: no valid ground truth'
    if truth.size:
        pred = align_pixels(depth.ravel()[index], truth, protocol)
        errors = np.abs(pred - truth) / truth
        error = scatter_mean(index, errors, gt.shape, background.shape[:2])
        title = f'abs_rel {errors.mean():.3f}   error |pred - gt| / gt'
    # dense ground truth needs no growing, sparse LiDAR does
    radius = 0 if np.isfinite(error).mean() > 0.5 else 1
    colors = colorize_error(error, max_error, background, radius)
    return add_head(colors, title, ('0', color_table('turbo'), f'{max_error:g}+'))


def metric_factor(
    depth: np.ndarray | None, gt: np.ndarray | None, protocol: DepthProtocol
) -> float | None:
    """Metres per unit of predicted depth; None where the alignment tells no single factor."""
    if protocol.alignment in ('none', 'fixed'):
        return 1.0 if protocol.alignment == 'none' else protocol.scale
    if depth is None or gt is None or protocol.alignment != 'median':
        return None
    index, truth = select_pixels(gt, protocol)
    ratio = scale_ratio(depth.ravel()[index], truth) if truth.size else float('nan')
    return ratio if np.isfinite(ratio) else None


def save_image(picture: np.ndarray, path: str | os.PathLike) -> None:
    """Write a uint8 RGB picture as .png or .jpg (else ValueError), under a temporary name first."""
    suffix = Path(path).suffix.lower()
    if suffix not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f'pictures are written as .png or .jpg, got {str(path)!r}')
    write_rgb(path, picture, 92, sync=True)

"""Pictures of predicted depth: colours with a scale bar, and image and depth in one."""

from __future__ import annotations

import cv2
import numpy as np

from mmscd.evaluation.functional import invert
from mmscd.visualization.colormap import color_table, colorize_depth, robust_limits
from mmscd.visualization.rendering import (
    MIN_PANEL_WIDTH,
    add_head,
    depth_bar,
    panel_size,
    resize_image,
    stack_panels,
)

# a head of 24 px is readable up to about this width
_HEAD_FITS = 1280
_PAD_COLOR = (28, 28, 32)


class DepthPainter:
    """Colours depth within `limits`: (near, far) in its unit, or None for robust ones of each
    image, which in a video keep the share `momentum` of the previous frame's (0 flickers).
    `metric`: the scale bar says metres."""

    def __init__(
        self,
        colormap: str = 'magma',
        limits: tuple[float, float] | None = None,
        metric: bool = False,
        scale_bar: bool = True,
        momentum: float = 0.9,
    ) -> None:
        color_table(colormap)
        if limits is not None and not 0 < limits[0] < limits[1]:
            raise ValueError(f'depth_limits must be 0 < near < far, got {limits!r}')
        self.colormap, self.limits, self.metric = colormap, limits, metric
        self.scale_bar, self.momentum = scale_bar, momentum
        self._last: tuple[float, float] | None = None

    def reset(self) -> None:
        """A new video begins."""
        self._last = None

    def inverse_limits(self, depth: np.ndarray, smooth: bool = False) -> tuple[float, float]:
        """(low, high) of the inverse of a depth (H, W) that the colours span; `smooth`: a video
        goes on."""
        if self.limits is not None:
            return 1 / self.limits[1], 1 / self.limits[0]
        low, high = robust_limits(invert(np.asarray(depth, np.float64)))
        if smooth and self._last is not None:
            keep, last = self.momentum, self._last
            low, high = (keep * a + (1 - keep) * b for a, b in zip(last, (low, high), strict=True))
        if smooth:
            self._last = (low, high)
        return low, high

    def paint(self, depth: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
        """The colours of a depth (H, W), uint8 RGB (H, W, 3); with a scale bar (H + strip, W, 3),
        where images narrower than `MIN_PANEL_WIDTH` get a margin for it. `limits`: of
        `inverse_limits`; None: this map's own."""
        limits = limits or self.inverse_limits(depth)
        colors = colorize_depth(depth, limits=limits, colormap=self.colormap)
        return _add_head(colors, *self._bar(limits)) if self.scale_bar else colors

    def _bar(self, limits: tuple[float, float]) -> tuple[str, tuple[str, np.ndarray, str]]:
        return depth_bar(limits, 1.0 if self.metric else None, self.colormap)

    def paint_beside(
        self,
        image: np.ndarray,
        depth: np.ndarray,
        title: str = '',
        panel_width: int | None = None,
        layout: str = 'auto',
        limits: tuple[float, float] | None = None,
    ) -> np.ndarray:
        """A uint8 RGB image (H, W, 3) and its depth (H, W) in one picture, each `panel_width`
        pixels wide (None: as they are); `layout`: 'horizontal', 'vertical', or 'auto': wide images
        above one another. `limits`: as of `paint`."""
        limits = limits or self.inverse_limits(depth)
        colors = colorize_depth(depth, limits=limits, colormap=self.colormap)
        if panel_width is not None:
            size = panel_size(image.shape[:2], panel_width)
            image, colors = resize_image(image, size), resize_image(colors, size)
        if self.scale_bar:
            panels = [_add_head(image, title), _add_head(colors, *self._bar(limits))]
        else:
            panels = [_widen(image), _widen(colors)]
        return stack_panels(panels, layout)


def _add_head(
    picture: np.ndarray, title: str, bar: tuple[str, np.ndarray, str] | None = None
) -> np.ndarray:
    """`add_head` with a strip that is enlarged where the picture is large."""
    picture = _widen(picture)
    width = picture.shape[1]
    factor = max(1, round(width / _HEAD_FITS))
    strip = add_head(np.zeros((0, -(-width // factor), 3), np.uint8), title, bar)
    if factor > 1:
        size = (strip.shape[1] * factor, strip.shape[0] * factor)
        strip = cv2.resize(strip, size, interpolation=cv2.INTER_CUBIC)[:, :width]
    return np.concatenate([strip, picture])


def _widen(picture: np.ndarray) -> np.ndarray:
    """A margin at the right of pictures that are too narrow for a bar."""
    margin = max(0, MIN_PANEL_WIDTH - picture.shape[1])
    return cv2.copyMakeBorder(picture, 0, 0, 0, margin, cv2.BORDER_CONSTANT, value=_PAD_COLOR)

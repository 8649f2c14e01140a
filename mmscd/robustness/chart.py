"""A sheet of corrupted images and what the models see in them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmscd.visualization.colormap import colorize_depth
from mmscd.visualization.rendering import add_head, panel_size, resize_image, stack_panels


def example_sheet(
    rows: Sequence[tuple[str, np.ndarray, Sequence[tuple[str, np.ndarray]]]],
    panel_width: int = 400,
    columns: int = 2,
) -> np.ndarray:
    """Corrupted images, each beside the depth that the models see in it.

    Args:
        rows: (title, image uint8 RGB (H, W, 3), [(model, inverse depth (h, w))]) of each example.
        panel_width: of one picture, pixels.
        columns: examples side by side.

    Returns:
        uint8 RGB.
    """
    strips = []
    for title, image, predictions in rows:
        size = panel_size(image.shape[:2], panel_width)
        panels = [add_head(resize_image(image, size), title)]
        for model, inverse in predictions:
            inverse = cv2.resize(np.ascontiguousarray(inverse, np.float32), size[::-1])
            panels.append(add_head(colorize_depth(1 / np.maximum(inverse, 1e-9)), model))
        strips.append(stack_panels(panels, 'horizontal'))
    strips += [np.zeros_like(strips[0])] * (-len(strips) % columns)
    count = len(strips) // columns
    stacks = [stack_panels(strips[i * count : (i + 1) * count], 'vertical') for i in range(columns)]
    return stack_panels(stacks, 'horizontal', gap=10)

"""A sheet of all corruptions of one image, for the eyes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .corrupt import DEFAULT_SEED, corrupt
from .parameters import CORRUPTIONS, SEVERITIES

_LABEL_WIDTH, _HEAD_HEIGHT, _GAP = 150, 26, 3
_PAPER, _INK = 255, (40, 40, 40)


def corruption_sheet(
    image: np.ndarray,
    image_id: str = '',
    seed: int = DEFAULT_SEED,
    names: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    cell_width: int = 320,
) -> np.ndarray:
    """One row per corruption: the image as it is, then its severities.

    Args:
        image: uint8 RGB (H, W, 3); it is corrupted at this size and shrunk afterwards.
        image_id, seed: see `corrupt`.
        names, severities: what to show.
        cell_width: of one picture, pixels.

    Returns:
        uint8 RGB.
    """
    height, width = image.shape[:2]
    size = (cell_width, max(1, round(height * cell_width / width)))
    columns = 1 + len(severities)
    whole = (
        _HEAD_HEIGHT + len(names) * (size[1] + _GAP),
        _LABEL_WIDTH + columns * (size[0] + _GAP),
    )
    sheet = np.full((*whole, 3), _PAPER, np.uint8)
    for column, title in enumerate(['clean', *(f'severity {level}' for level in severities)]):
        _write(sheet, title, _LABEL_WIDTH + column * (size[0] + _GAP) + 4, _HEAD_HEIGHT - 8)
    for row, name in enumerate(names):
        top = _HEAD_HEIGHT + row * (size[1] + _GAP)
        _write(sheet, name, 6, top + size[1] // 2 + 4)
        cells = [image, *(corrupt(image, name, level, seed, image_id) for level in severities)]
        for column, cell in enumerate(cells):
            left = _LABEL_WIDTH + column * (size[0] + _GAP)
            small = cv2.resize(cell, size, interpolation=cv2.INTER_AREA)
            sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def _write(sheet: np.ndarray, text: str, left: int, baseline: int) -> None:
    place = (left, baseline)
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)

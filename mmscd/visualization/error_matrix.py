"""Errors by class and distance as a picture: a coloured table."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from .colormap import apply_color_table, color_table
from .rendering import add_head, draw_text, text_width

_CELL = (84, 38)  # width, height
_MARGIN = 12
_PAPER = (28, 28, 32)
_COLORMAP = 'viridis'
_DARK, _LIGHT = (20, 20, 24), (240, 240, 240)


def draw_error_matrix(
    rows: Mapping[str, Mapping[str, Mapping[str, float]]], title: str, max_error: float = 0.5
) -> np.ndarray:
    """abs_rel in colours; below it the median signed error and the share of pixels.

    Args:
        rows: of `ErrorTally.summarize`.
        title: above the table.
        max_error: drawn in the last colour, as everything above.

    Returns:
        uint8 RGB.
    """
    names = list(rows)
    columns = list(next(iter(rows.values())))
    left = max(text_width(name) for name in names) + 2 * _MARGIN
    width, height = left + len(columns) * _CELL[0] + _MARGIN, 26 + len(names) * _CELL[1] + _MARGIN
    picture = np.full((height, width, 3), _PAPER, np.uint8)
    for number, column in enumerate(columns):
        centre = left + number * _CELL[0] + _CELL[0] // 2
        draw_text(picture, column, centre - text_width(column) // 2, 17)
    for line, name in enumerate(names):
        top = 26 + line * _CELL[1]
        draw_text(picture, name, left - _MARGIN - text_width(name), top + 23)
        for number, column in enumerate(columns):
            cell = rows[name][column]
            if cell['n_pixels']:
                _draw_cell(picture, left + number * _CELL[0], top, cell, max_error)
    bar = ('abs_rel 0', color_table(_COLORMAP), f'{max_error:g}+')
    return add_head(picture, title, bar)


def _draw_cell(
    picture: np.ndarray, left: int, top: int, cell: Mapping[str, float], max_error: float
) -> None:
    color = apply_color_table(np.array([[cell['abs_rel'] / max_error]]), _COLORMAP)[0, 0]
    right, bottom = left + _CELL[0] - 2, top + _CELL[1] - 2
    picture[top:bottom, left:right] = color
    ink = _DARK if color.astype(float) @ (0.299, 0.587, 0.114) > 120 else _LIGHT
    lines = (f'{cell["abs_rel"]:.3f}', 0.45, top + 15), (
        f'{cell["median_signed"]:+.0%}  {_percent(cell["share"])}', 0.34, top + 30
    )  # fmt: skip
    for text, scale, baseline in lines:
        size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        place = (left + (_CELL[0] - 2 - size) // 2, baseline)
        cv2.putText(
            picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA
        )  # fmt: skip


def _percent(share: float) -> str:
    return f'{share:.0%}' if share >= 0.005 else '<1%'

"""A picture of trajectories from above."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

WIDTH, PLOT_HEIGHT, MARGIN = 1200, 320, 70
_COLORS = ((20, 20, 20), (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_trajectories(tracks: Mapping[str, np.ndarray], title: str) -> np.ndarray:
    """Positions from above: forward (z) to the right, to the camera's right (x) downwards.

    Where the tracks are long and thin the sideways axis is stretched, and the picture says so.

    Args:
        tracks: name -> (N, 3) metres, the ground truth first.
        title: above the plot.

    Returns:
        uint8 RGB.
    """
    points = np.concatenate(list(tracks.values()))[:, [2, 0]]
    low, high = points.min(0), points.max(0)
    extent = np.maximum(high - low, 1e-3)
    scale_z = (WIDTH - 2 * MARGIN) / extent[0]
    scale_x = (PLOT_HEIGHT - 60) / max(extent[1], 0.05 * extent[0] / 4)
    # equal scales where they fit, else the largest whole factor that does
    stretch = max(1, int(scale_x / scale_z))
    scale_x, scale_z = (stretch * scale_z, scale_z) if scale_x > scale_z else (scale_x, scale_x)
    height = 60 + PLOT_HEIGHT + 30 + 24 * len(tracks)
    picture = np.full((height, WIDTH, 3), 255, np.uint8)
    middle = 60 + PLOT_HEIGHT // 2

    def place(track: np.ndarray) -> np.ndarray:
        u = MARGIN + (track[:, 2] - low[0]) * scale_z
        v = middle + (track[:, 0] - (low[1] + high[1]) / 2) * scale_x
        return np.stack([u, v], -1)

    _axes(picture, low, high, scale_z, place)
    how = f'sideways stretched {stretch}x' if stretch > 1 else 'equal axes'
    _text(picture, f'{title} (from above, metres, {how})', 16, 28, (20, 20, 20), 0.55)
    for number, (name, track) in enumerate(tracks.items()):
        color = _COLORS[number % len(_COLORS)]
        line = np.round(place(track) * 16).astype(np.int32)
        cv2.polylines(picture, [line[:, None]], False, color, 2, cv2.LINE_AA, 4)
        for u, v in line[:: max(1, len(line) // 25)]:
            cv2.circle(picture, (int(u), int(v)), 3 * 16, color, -1, cv2.LINE_AA, 4)
        below = 60 + PLOT_HEIGHT + 40 + 24 * number
        cv2.line(picture, (MARGIN, below - 5), (MARGIN + 40, below - 5), color, 3, cv2.LINE_AA)
        _text(picture, name, MARGIN + 52, below, color, 0.5)
    return picture


def _axes(picture, low, high, scale, place) -> None:
    """Grid lines every round number of metres forward, and the line x = 0."""
    step = 10 ** np.floor(np.log10(max(high[0] - low[0], 1e-3)))
    step = step / 5 if (high[0] - low[0]) / step < 3 else step
    grey = (225, 225, 225)
    for z in np.arange(np.ceil(low[0] / step), np.floor(high[0] / step) + 1) * step:
        u = int(round(MARGIN + (z - low[0]) * scale))
        cv2.line(picture, (u, 60), (u, 60 + PLOT_HEIGHT), grey, 1)
        _text(picture, f'{z:g} m', u - 14, 60 + PLOT_HEIGHT + 16, (110, 110, 110), 0.42)
    ends = place(np.array([[0, 0, low[0]], [0, 0, high[0]]])).round().astype(int)
    cv2.line(picture, tuple(map(int, ends[0])), tuple(map(int, ends[1])), grey, 1)
    right = int(ends[1][1])
    _text(picture, 'x = 0', WIDTH - MARGIN + 8, right + 4, (110, 110, 110), 0.42)


def _text(picture, text, left, baseline, color, size) -> None:
    cv2.putText(picture, text, (left, baseline), _FONT, size, color, 1, cv2.LINE_AA)

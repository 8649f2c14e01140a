"""Pictures of frost on a window, made by the program: ice ferns on dark glass.

ImageNet-C blends photographs of frost, which are not ours to ship. These pictures stand in for
them: branching crystals that grow from the border and from nuclei, a veil of small ice between
them, grain, and the dark of the pane where nothing has frozen.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from .common import make_generator

PICTURES = 5
SIZE = (1152, 640)  # width, height
_NUCLEI = 150
_TINT = np.array([0.86, 0.94, 1.0], np.float32)
# polylines take fixed-point coordinates
_SHIFT = 4


def _twigs(start, angle, length, count, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Side branches of N stems at once: start (N, 2) pixels, angle (N,) radians, length (N,) pixels
    to those of N * 2 * count branches, at 60 degrees, as ice grows, longest behind the middle."""
    place = (np.arange(count) + rng.uniform(0.1, 0.9, (len(start), count))) / count
    reach = length[:, None] * (0.08 + 0.5 * np.sin(np.pi * place**0.7) * (1 - 0.6 * place))
    direction = np.stack([np.cos(angle), np.sin(angle)], -1)
    root = start[:, None] + (place * length[:, None])[..., None] * direction[:, None]
    side = np.array([-1, 1]) * math.pi / 3
    turned = angle[:, None, None] + side + rng.normal(0, 0.06, (len(start), count, 2))
    sizes = np.broadcast_to(reach[..., None], turned.shape) * rng.uniform(0.6, 1, turned.shape)
    roots = np.broadcast_to(root[:, :, None], (*turned.shape, 2))
    return roots.reshape(-1, 2), turned.reshape(-1), sizes.reshape(-1)


def _draw(canvas: np.ndarray, stems: tuple[np.ndarray, ...], value: int, thickness: int) -> None:
    """Straight anti-aliased lines onto a uint8 canvas."""
    start, angle, length = stems
    end = start + length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    lines = np.rint(np.stack([start, end], 1) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(canvas, list(lines), False, value, thickness, cv2.LINE_AA, _SHIFT)


def _ferns(rng: np.random.Generator) -> np.ndarray:
    """Branching crystals, float32 (H, W) in [0, 1]."""
    width, height = SIZE
    canvas = np.zeros((height, width), np.uint8)
    start = rng.uniform((0, 0), SIZE, (_NUCLEI, 2))
    # half of them grow from the border inwards
    edge = rng.integers(0, 4, _NUCLEI)
    from_edge = np.arange(_NUCLEI) % 2 > 0
    start[from_edge & (edge < 2), 1] = height * (edge[from_edge & (edge < 2)] % 2)
    start[from_edge & (edge >= 2), 0] = width * (edge[from_edge & (edge >= 2)] % 2)
    towards = np.array(SIZE) / 2 - start
    inwards = np.arctan2(towards[:, 1], towards[:, 0]) + rng.normal(0, 0.5, _NUCLEI)
    angle = np.where(from_edge, inwards, rng.uniform(0, 2 * math.pi, _NUCLEI))
    length = 40 + 190 * rng.random(_NUCLEI) ** 2
    stems = (start, angle, length)
    twigs = _twigs(*stems, 16, rng)
    barbs = _twigs(*twigs, 7, rng)
    for lines, value, thickness in ((barbs, 90, 1), (twigs, 165, 1), (stems, 235, 2)):
        _draw(canvas, lines, value, thickness)
    return _bend(canvas.astype(np.float32) / 255, rng)


def _bend(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bend straight lines: smooth displacements of about 25 pixels, small ones of about 2."""
    height, width = canvas.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    for coordinate in (x, y):
        coordinate += 110 * (_clouds(rng, 160, 2) - 0.5) + 9 * (_clouds(rng, 10, 2) - 0.5)
    return cv2.remap(canvas, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _clouds(rng: np.random.Generator, coarsest: int, levels: int) -> np.ndarray:
    """Smooth noise of several octaves, float32 (H, W), stretched to [0, 1]."""
    width, height = SIZE
    total = np.zeros((height, width), np.float32)
    for level in range(levels):
        cell = coarsest >> level
        grid = rng.random((height // cell + 3, width // cell + 3), dtype=np.float32)
        layer = cv2.resize(grid, SIZE, interpolation=cv2.INTER_CUBIC)
        total += layer * np.float32(0.55**level)
    return cv2.normalize(total, None, 0, 1, cv2.NORM_MINMAX)


@cache
def frost_picture(index: int) -> np.ndarray:
    """One of the `PICTURES` pictures, uint8 RGB (640, 1152, 3), read-only, always the same."""
    rng = make_generator('frost picture', index)
    ferns = _ferns(rng)
    glow = cv2.GaussianBlur(ferns, (0, 0), 4)
    # frozen over in some places, clear in others
    cover = np.clip(3.2 * _clouds(rng, 144, 5) - 1.25, 0, 1)
    specks = rng.random((SIZE[1], SIZE[0]), dtype=np.float32)
    grain = 0.55 + 0.9 * cv2.GaussianBlur(specks, (0, 0), 0.7)
    ice = cover * (0.8 * ferns + 0.55 * glow + 0.06) * grain + 0.3 * ferns
    pane = 0.03 + 0.05 * _clouds(rng, 320, 2)
    ice = np.clip(ice, 0, 1)
    light = pane[..., None] * np.array([0.7, 0.9, 1.2], np.float32) + ice[..., None] * _TINT
    picture = np.clip(np.rint(255 * light), 0, 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def crop_frost(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random cut of (H, W) of a random picture, uint8 RGB (H, W, 3); the picture is enlarged
    where it does not cover the image."""
    picture = frost_picture(int(rng.integers(PICTURES)))
    height, width = shape
    scale = 1.1 * max(height / picture.shape[0], width / picture.shape[1])
    if scale > 1:
        size = (math.ceil(picture.shape[1] * scale), math.ceil(picture.shape[0] * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    top = int(rng.integers(picture.shape[0] - height + 1))
    left = int(rng.integers(picture.shape[1] - width + 1))
    return picture[top : top + height, left : left + width]

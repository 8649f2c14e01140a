"""What several corruptions share: random numbers by key, rounding, zoom, directed blur."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path, PurePath

import cv2
import numpy as np

# 'date/drive/camera/data/frame' of KITTI raw
_ID_PARTS = 5


def make_generator(*key: int | str) -> np.random.Generator:
    """A generator that depends on nothing but the strings and whole numbers of the key; order and
    type count."""
    text = '\0'.join(f'{type(part).__name__}:{part}' for part in key)
    digest = hashlib.blake2b(text.encode('utf-8'), digest_size=32).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest, 'little')))


def image_id_from_path(path: str | Path, data_root: str | Path | None = None) -> str:
    """A name of an image that does not change when the data moves: its path below `data_root`, or
    else its last five parts, which is the same for KITTI raw; with `/` between the parts and
    without the suffix, so that PNG and JPEG copies agree."""
    pure = PurePath(path)
    parts = pure.parts[-_ID_PARTS:]
    if data_root is not None and pure.is_relative_to(data_root):
        parts = pure.relative_to(data_root).parts
    return PurePath(*parts).with_suffix('').as_posix()


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Values of [0, 255] (others are clipped) rounded to uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def zoom_about_centre(image: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge a float32 image (H, W) or (H, W, C) about its centre, bilinear, and keep its size."""
    height, width = image.shape[:2]
    shift_x, shift_y = ((side - 1) / 2 * (1 - 1 / factor) for side in (width, height))
    inverse = np.array([[1 / factor, 0, shift_x], [0, 1 / factor, shift_y]])
    how = dict(flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
    return cv2.warpAffine(image, inverse, (width, height), **how)


def directed_blur(image: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """Blur a float32 image (H, W) or (H, W, C) along one direction: 2 * radius + 1 taps, one-sided
    Gaussian weights of `sigma` taps, borders repeated; an angle of 0 degrees is to the right, 90
    down."""
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    weights /= weights.sum()
    direction = math.radians(angle)
    dx = np.ceil(taps * math.cos(direction) - 0.5).astype(int)
    dy = np.ceil(taps * math.sin(direction) - 0.5).astype(int)
    left, top = max(0, -dx.min()), max(0, -dy.min())
    right, bottom = max(0, dx.max()), max(0, dy.max())
    padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    total = np.zeros_like(image)
    for weight, x, y in zip(weights, dx + left, dy + top, strict=True):
        cv2.scaleAdd(padded[y : y + height, x : x + width], float(weight), total, total)
    return total

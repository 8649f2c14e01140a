"""Intrinsics of an own camera, from a small yaml file."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmscd.geometry import scale_intrinsics
from mmscd.utils.schema import Number, shorten
from mmscd.utils.text import parse_yaml, read_text

_PINHOLE: tuple[str, ...] = ('fx', 'fy', 'cx', 'cy', 'width', 'height')
_told: set[tuple[float, ...]] = set()
_EXAMPLE = (
    'write `fx: 721.5`, `fy: 721.5`, `cx: 609.6`, `cy: 172.9`, `width: 1242`, `height: 375` '
    '(pixels of the original images), or `hfov_deg: 81.0` alone'
)


def centred_camera(hfov_deg: float, size: tuple[int, int]) -> np.ndarray:
    """K (3, 3) of square pixels, principal point in the centre: `size` is (width, height) in
    pixels, and its width is seen under `hfov_deg` degrees."""
    width, height = size
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def check_pinhole(K: np.ndarray, size: tuple[int, int], what: str) -> None:
    """Raise ValueError, which begins with `what`, where K (3, 3) is not in pixels of images of
    `size` (width, height); say once where it may be that of others."""
    focal, middle = np.diag(K)[:2] / size, (K[:2, 2] + 0.5) / size
    if min(focal) < 0.044:  # 170 degrees from side to side
        raise ValueError(
            f'{what}: focal lengths {K[0, 0]:g}, {K[1, 1]:g} are no pixels of {size[0]}x{size[1]} '
            'images; multiply normalised fx, cx by the width, fy, cy by the height, and '
            'millimetres by pixels per millimetre of the sensor'
        )
    key = (*middle, *size)
    if abs(middle - 0.5).max() > 0.15 and key not in _told:
        _told.add(key)
        told = f'the principal point ({K[0, 2]:g}, {K[1, 2]:g}) lies far from the middle of'
        mend = 'right only if the image was cropped; all values are pixels of these images'
        print_log(f'{what}: {told} {size[0]}x{size[1]}: {mend}', 'current', 30)


def _read_values(path: Path) -> dict[str, float]:
    what = f'intrinsics file {path}'
    try:
        stored = parse_yaml(read_text(path), what)
    except FileNotFoundError:
        raise FileNotFoundError(f'{what} does not exist; {_EXAMPLE}') from None
    except ValueError as error:
        raise ValueError(f'{error}; {_EXAMPLE}') from None
    if not isinstance(stored, dict) or not stored:
        raise ValueError(f'{what} holds no `key: value` lines; {_EXAMPLE}')
    if unknown := [key for key in stored if key not in (*_PINHOLE, 'hfov_deg')]:
        raise ValueError(f'{what} has unknown keys {shorten(unknown)}; {_EXAMPLE}')
    for key, value in stored.items():
        if not Number().fits(value) or (value <= 0 and key not in ('cx', 'cy')):
            kind = 'a number' if key in ('cx', 'cy') else 'positive'
            raise ValueError(f'{what}: {key} must be {kind}, got {shorten(value)}')
    return stored


class CameraFile:
    """A pinhole camera: `fx, fy, cx, cy, width, height`, or `hfov_deg` (square pixels, principal
    point in the centre; `width` and `height` may be left out).

    Args:
        path: the yaml file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: names the file, the key and the mend.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).expanduser()
        self._values = values = _read_values(self.path)
        self.hfov = values.get('hfov_deg')
        what, needed = f'intrinsics file {self.path}', _PINHOLE
        if self.hfov is not None:
            both = sorted(set(values) & set(_PINHOLE[:4]))
            if both:
                mend = f'keep one of the two; {_EXAMPLE}'
                raise ValueError(f'{what} has hfov_deg beside {both}: {mend}')
            if self.hfov >= 180:
                raise ValueError(f'{what}: hfov_deg must be below 180, got {self.hfov}')
            needed = _PINHOLE[4:] if set(_PINHOLE[4:]) & set(values) else ()
        missing = [key for key in needed if key not in values]
        if missing:
            raise ValueError(f'{what} lacks {missing}; {_EXAMPLE}')
        self.size = (round(values['width']), round(values['height'])) if needed else None

    def intrinsics(self, size: tuple[int, int], scale: bool = False) -> np.ndarray:
        """K (3, 3) float64 for images of `size` (width, height), pixels. With `scale` it may differ
        from the file's (K scales by the half-pixel convention), else that is a ValueError."""
        if self.size is not None and size != self.size and not scale:
            raise ValueError(
                f'intrinsics file {self.path} is for {self.size[0]}x{self.size[1]}, the images are '
                f'{size[0]}x{size[1]}: correct the file, or set scale_intrinsics=True if these are '
                'a plain resize (no crop) of what it describes'
            )
        if self.hfov is not None:
            return centred_camera(self.hfov, size)
        assert self.size is not None
        fx, fy, cx, cy = (float(self._values[key]) for key in _PINHOLE[:4])
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        check_pinhole(K, self.size, f'intrinsics file {self.path}')
        return scale_intrinsics(K, size[0] / self.size[0], size[1] / self.size[1])

"""Intrinsics of an own camera, from a small yaml file."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import yaml

from mmscd.geometry import scale_intrinsics

_PINHOLE = ('fx', 'fy', 'cx', 'cy', 'width', 'height')
_FIELD_OF_VIEW = ('hfov_deg', 'width', 'height')
_EXAMPLE = (
    'write `fx: 721.5`, `fy: 721.5`, `cx: 609.6`, `cy: 172.9`, `width: 1242`, `height: 375` '
    '(pixels of the original images), or `hfov_deg: 81.0` alone'
)


def centred_camera(hfov_deg: float, size: tuple[int, int]) -> np.ndarray:
    """K (3, 3) of square pixels with the principal point in the centre.

    Args:
        hfov_deg: angle that the width (width, height) of `size` is seen under, degrees.
        size: of the images, pixels.
    """
    width, height = size
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def _read_values(path: Path) -> dict[str, float]:
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'intrinsics file {path} does not exist; {_EXAMPLE}') from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'intrinsics file {path} is not yaml: {error}; {_EXAMPLE}') from None
    if not isinstance(stored, dict) or not stored:
        raise ValueError(f'intrinsics file {path} holds no `key: value` lines; {_EXAMPLE}')
    unknown = sorted(set(map(str, stored)) - set(_PINHOLE) - set(_FIELD_OF_VIEW))
    if unknown:
        raise ValueError(f'intrinsics file {path} has unknown keys {unknown}; {_EXAMPLE}')
    for key, value in stored.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value <= 0:
            raise ValueError(f'intrinsics file {path}: {key} must be positive, got {value!r}')
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
        values = _read_values(self.path)
        self.hfov = values.get('hfov_deg')
        needed: tuple[str, ...] = _PINHOLE
        if self.hfov is not None:
            both = sorted(set(values) & {'fx', 'fy', 'cx', 'cy'})
            if both:
                raise ValueError(
                    f'intrinsics file {self.path} has hfov_deg beside {both}: keep one of the two; '
                    f'{_EXAMPLE}'
                )
            if self.hfov >= 180:
                raise ValueError(
                    f'intrinsics file {self.path}: hfov_deg must be below 180, got {self.hfov}'
                )
            needed = ('width', 'height') if {'width', 'height'} & set(values) else ()
        missing = [key for key in needed if key not in values]
        if missing:
            raise ValueError(f'intrinsics file {self.path} lacks {missing}; {_EXAMPLE}')
        self._values = values
        if self.hfov is None:
            self._check_centre('cx', 'width')
            self._check_centre('cy', 'height')
        self.size = (round(values['width']), round(values['height'])) if needed else None

    def _check_centre(self, key: str, side: str) -> None:
        if self._values[key] >= self._values[side]:
            raise ValueError(
                f'intrinsics file {self.path}: {key} {self._values[key]} lies outside the image '
                f'({side} {self._values[side]}); all values are pixels of the original images'
            )

    def intrinsics(self, size: tuple[int, int], scale: bool = False) -> np.ndarray:
        """K for images of a size.

        Args:
            size: (width, height) of the images, pixels.
            scale: allow another size than the file's and scale K (half-pixel convention).

        Returns:
            (3, 3) float64.

        Raises:
            ValueError: the sizes differ and `scale` is off.
        """
        if self.size is not None and size != self.size and not scale:
            raise ValueError(
                f'intrinsics file {self.path} is for {self.size[0]}x{self.size[1]}, the images are '
                f'{size[0]}x{size[1]}: correct the file, or set scale_intrinsics=True if the '
                'images are a plain resize (no crop) of what it describes'
            )
        if self.hfov is not None:
            return centred_camera(self.hfov, size)
        assert self.size is not None
        fx, fy, cx, cy = (float(self._values[key]) for key in _PINHOLE[:4])
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        return scale_intrinsics(K, size[0] / self.size[0], size[1] / self.size[1])

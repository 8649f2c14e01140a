"""Cameras as calibration tools write them: COLMAP's `cameras.txt`, OpenCV's and ROS's yaml."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from mmscd.datasets.formats.arrays import camera_matrix
from mmscd.datasets.formats.camera_file import check_pinhole
from mmscd.geometry import scale_intrinsics
from mmscd.utils.schema import shorten
from mmscd.utils.text import parse_yaml, read_text

# names of the parameters after width and height; a single `f` stands for both axes
_COLMAP_MODELS = {
    'SIMPLE_PINHOLE': ('f', 'cx', 'cy'),
    'PINHOLE': ('fx', 'fy', 'cx', 'cy'),
    'SIMPLE_RADIAL': ('f', 'cx', 'cy', 'k1'),
    'RADIAL': ('f', 'cx', 'cy', 'k1', 'k2'),
    'OPENCV': ('fx', 'fy', 'cx', 'cy', 'k1', 'k2', 'p1', 'p2'),
    'FULL_OPENCV': ('fx', 'fy', 'cx', 'cy', 'k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6'),
}
_DISTORTION = ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6')


class Calibration(NamedTuple):
    """A camera: `K` (3, 3) float64 in pixels whose centres are integers, `size` (width, height),
    `distortion` OpenCV's coefficients (4, 5 or 8), or None for a pinhole, `path` its file."""

    K: np.ndarray
    size: tuple[int, int]
    distortion: np.ndarray | None = None
    path: str = 'the calibration'

    def resized(self, size: tuple[int, int]) -> Calibration:
        """The same camera for images that are a plain resize to `size` (width, height)."""
        K = scale_intrinsics(self.K, size[0] / self.size[0], size[1] / self.size[1])
        return self._replace(K=K, size=size)


def read_colmap(path: str | os.PathLike, camera_id: int | None = None) -> Calibration:
    """A camera out of COLMAP's text model `cameras.txt`, lines `CAMERA_ID MODEL WIDTH HEIGHT
    PARAMS...`; `camera_id` where it has several. COLMAP puts the centre of the first pixel at (0.5,
    0.5), we at (0, 0). ValueErrors name the line and the mend."""
    path = Path(path)
    cameras: dict[int, tuple[int, list[str]]] = {}
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        words = line.split('#')[0].split()
        if words:
            if len(words) < 5 or not words[0].isdecimal():
                raise ValueError(
                    f'{path}:{number}: expected `CAMERA_ID MODEL WIDTH HEIGHT PARAMS...`, got '
                    f'{shorten(line)}; give a text one (`colmap model_converter --output_type TXT`)'
                )
            cameras[int(words[0])] = number, words[1:]
    if camera_id is None and len(cameras) == 1:
        camera_id = next(iter(cameras))
    if camera_id not in cameras:
        raise ValueError(f'{path} has the cameras {sorted(cameras)}: name one, got {camera_id}')
    number, (model, *values) = cameras[camera_id]
    names = _COLMAP_MODELS.get(model)
    if names is None or len(values) != 2 + len(names):
        raise ValueError(
            f'{path}:{number}: model {model} with {len(values) - 2} parameters is not one of '
            f'{ {k: len(v) for k, v in _COLMAP_MODELS.items()} }; calibrate with --ImageReader.'
            'camera_model OPENCV, or undistort by `colmap image_undistorter` first'
        )
    numbers = _numbers(values, f'{path}:{number}')
    return _assemble(dict(zip(names, numbers[2:], strict=True)), numbers[:2], 0.5, path)


def read_opencv(path: str | os.PathLike) -> Calibration:
    """A camera as OpenCV's calibration sample (`cv::FileStorage`) or ROS writes it in yaml:
    `camera_matrix`, `distortion_coefficients`, `image_width`, `image_height`. ValueErrors name the
    key and the mend."""
    path = Path(path)
    lines = _read_text(path).splitlines()
    # FileStorage's header and tags are no plain yaml
    text = '\n'.join('' if s.startswith('%') else s.replace('!!opencv-matrix', '') for s in lines)
    stored = parse_yaml(text, f'calibration {path}')
    needed = ('camera_matrix', 'image_width', 'image_height')
    missing = [k for k in needed if not isinstance(stored, Mapping) or k not in stored]
    if missing:
        expected = f'{needed} and distortion_coefficients, as OpenCV and ROS write them'
        raise ValueError(f'calibration {path} lacks {missing}; expected {expected}')
    if stored.get('fisheye_model'):
        raise ValueError(
            f'calibration {path}: fisheye_model is {shorten(stored["fisheye_model"])}, its '
            'coefficients are those of cv2.fisheye, not k1, k2, p1, p2: undistort the video first'
        )
    model = stored.get('distortion_model', 'plumb_bob')
    if model not in ('plumb_bob', 'rational_polynomial', 'none', ''):
        raise ValueError(
            f'calibration {path}: the distortion model {shorten(model)} is not supported '
            '(plumb_bob and rational_polynomial are): undistort the video first'
        )
    numbers = _numbers(stored['camera_matrix'], f'{path}: camera_matrix', (9,))
    K = camera_matrix(numbers.reshape(3, 3), f'{path}: camera_matrix')
    values = dict(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2])
    coefficients = stored.get('distortion_coefficients')
    if coefficients is not None:
        found = _numbers(coefficients, f'{path}: distortion_coefficients', (4, 5, 8))
        values.update(zip(_DISTORTION, found, strict=False))
    size = _numbers([stored['image_width'], stored['image_height']], f'{path}: image size')
    return _assemble(values, size, 0.0, path)


def undistort_maps(calibration: Calibration) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What takes a distorted image to a pinhole image of the same size without black borders: two
    maps for `cv2.remap`, and K (3, 3) float64 of the new image.

    The principal point stays, and both focal lengths are multiplied by one factor, the smallest
    that leaves no border (OpenCV's `getOptimalNewCameraMatrix` squeezes the pixels instead).
    ValueError: none between 0.5 and 2 does."""
    K, size, distortion, path = calibration
    assert distortion is not None
    low, high = 0.5, 2.0
    if not _covered(calibration, high):
        raise ValueError(
            f'{path}: the distortion {distortion.tolist()} leaves black borders even at twice the '
            'focal length: calibrate again, or undistort and crop by other means'
        )
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if _covered(calibration, middle) else (middle, high)
    new = K * np.array([[high, 1, 1], [1, high, 1], [1, 1, 1]])
    maps = cv2.initUndistortRectifyMap(K, distortion, None, new, size, cv2.CV_16SC2)
    return *maps, new


def _covered(calibration: Calibration, factor: float) -> bool:
    """Whether the rim of a pinhole image lies inside the distorted one."""
    K, (width, height), distortion, _ = calibration
    u, v = np.arange(width, dtype=float), np.arange(height, dtype=float)
    rim = [(u, 0 * u), (u, 0 * u + height - 1), (0 * v, v), (0 * v + width - 1, v)]
    rays = (np.hstack(rim) - K[:2, 2:]) / (factor * np.diag(K)[:2, None])
    points = np.vstack([rays, np.ones(rays.shape[1])]).T
    found = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, distortion)[0][:, 0]
    return bool((found >= 0).all() and (found <= [width - 1, height - 1]).all())


def _assemble(
    values: Mapping[str, float], size: np.ndarray, first_centre: float, path: Path
) -> Calibration:
    fx, fy = (values.get(name, values.get('f', 0.0)) for name in ('fx', 'fy'))
    if not (fx > 0 and fy > 0 and min(size) > 0.5 and max(size) < 1 << 15):
        got = f'got {fx}, {fy}, {size}'
        raise ValueError(f'{path}: focal lengths and size (up to 32767) must be positive, {got}')
    cx, cy = values['cx'] - first_centre, values['cy'] - first_centre
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)
    distortion = np.array([values.get(name, 0.0) for name in _DISTORTION])
    check_pinhole(K, (round(size[0]), round(size[1])), str(path))
    used = distortion[: 8 if distortion[5:].any() else 5] if distortion.any() else None
    return Calibration(K, (round(size[0]), round(size[1])), used, str(path))


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise FileNotFoundError(f'calibration {path} does not exist') from None
    except ValueError:
        mend = '`colmap model_converter --output_type TXT`'
        raise ValueError(f'calibration {path} is no text; COLMAP: {mend}') from None


def _numbers(value: Any, where: str, counts: Sequence[int] = ()) -> np.ndarray:
    """Numbers of `{rows, cols, data: [...]}` or of (nested) lists, flat; so many of them."""
    data = value.get('data') if isinstance(value, Mapping) else value
    rows = data if isinstance(data, list) else [data]
    # aliases may make a small file an endless list
    words: list[Any] = [
        w for row in rows[:99] for w in (row[:99] if isinstance(row, list) else [row])
    ]
    try:
        flat = np.array([math.nan if isinstance(word, bool) else float(word) for word in words])
    except (TypeError, ValueError, OverflowError):
        flat = np.array([math.nan])
    if not np.isfinite(flat).all():
        raise ValueError(f'{where} must hold numbers, got {shorten(data)}')
    if counts and flat.size not in counts:
        expected = ' or '.join(map(str, counts))
        raise ValueError(f'{where} must have {expected} numbers, got {flat.size}')
    return flat

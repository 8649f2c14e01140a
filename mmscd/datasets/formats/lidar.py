"""Rigid poses and the projection of LiDAR points into a pinhole camera."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .readers import finite_array


def rotation_from_quaternion(quaternion: Sequence[float], what: str = 'quaternion') -> np.ndarray:
    """Rotation matrix of a quaternion.

    Args:
        quaternion: (w, x, y, z), normalised here.
        what: names file and key in the error.

    Returns:
        (3, 3) float64.

    Raises:
        ValueError: it is not finite, or far from unit length.
    """
    q = finite_array(quaternion, (4,), what)
    norm = np.linalg.norm(q)
    if abs(norm - 1) > 1e-2:
        raise ValueError(
            f'{what}: a rotation is a quaternion (w, x, y, z) of length 1, got {q.tolist()} of '
            f'length {norm:g}; restore the official file'
        )
    w, x, y, z = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def rigid_pose(rotation: Any, translation: Any, what: str) -> np.ndarray:
    """T (4, 4) float64 of a quaternion (w, x, y, z) and a translation in metres.

    Raises:
        ValueError: a number is not finite; names file and key (`what`).
    """
    T = np.eye(4)
    T[:3, :3] = rotation_from_quaternion(rotation, f'{what}: rotation')
    T[:3, 3] = finite_array(translation, (3,), f'{what}: translation')
    return T


def read_points(path: str | os.PathLike, columns: int) -> np.ndarray:
    """Points of a raw LiDAR file of little-endian float32.

    Args:
        path: of the file.
        columns: numbers per point; the first three are x, y, z in metres.

    Returns:
        (N, columns) float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty or its size is not a whole number of points.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'LiDAR scan {path} does not exist; restore it') from None
    if not data or len(data) % (4 * columns):
        raise ValueError(
            f'LiDAR scan {path} has {len(data)} bytes, expected a positive multiple of '
            f'{4 * columns} ({columns} float32 per point): it is truncated; copy or download it '
            'again'
        )
    return np.frombuffer(data, '<f4').reshape(-1, columns)


def project_points(
    points: np.ndarray,
    T_camera_lidar: np.ndarray,
    K: np.ndarray,
    size: tuple[int, int],
    min_depth: float = 0.0,
) -> np.ndarray:
    """Sparse depth map of LiDAR points; of several points in a pixel the nearest one stays.

    Pixel centres are whole numbers: the pixel is round(u, v).

    Args:
        points: (N, 3 or more) LiDAR coordinates, metres.
        T_camera_lidar: (4, 4), x_camera = T @ x_lidar.
        K: (3, 3) pixels.
        size: (width, height) of the image.
        min_depth: points at most that deep are dropped, metres.

    Returns:
        (H, W) float32 camera depth (z) in metres, 0 where nothing was measured.
    """
    width, height = size
    camera = points[:, :3].astype(np.float64) @ T_camera_lidar[:3, :3].T + T_camera_lidar[:3, 3]
    camera = camera[camera[:, 2] > max(min_depth, 0.0)]  # also drops NaN
    pixels = camera @ K.T
    u, v = np.round(pixels[:, :2] / pixels[:, 2:]).T
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    index = v[inside].astype(np.int64) * width + u[inside].astype(np.int64)
    depth = np.full(height * width, np.inf, np.float32)
    np.minimum.at(depth, index, camera[inside, 2].astype(np.float32))
    depth[np.isinf(depth)] = 0
    return depth.reshape(height, width)

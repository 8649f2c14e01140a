"""Rigid poses, LiDAR scans and their projection into a pinhole camera."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import finite_array, read_npy
from .images import read_bytes


def rotation_from_quaternion(quaternion: Sequence[float], what: str = 'quaternion') -> np.ndarray:
    """Rotation matrix (3, 3) float64 of a quaternion (w, x, y, z), normalised here. ValueError
    (`what` names file and key) where it is not finite, or its length is over 1 % from 1."""
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
    """T (4, 4) float64 of a quaternion (w, x, y, z) and a translation in metres; ValueError (`what`
    names file and key) where a number is not finite."""
    T = np.eye(4)
    T[:3, :3] = rotation_from_quaternion(rotation, f'{what}: rotation')
    T[:3, 3] = finite_array(translation, (3,), f'{what}: translation')
    return T


def read_points(path: str | os.PathLike, columns: int = 4) -> np.ndarray:
    """Points of a LiDAR scan, x, y, z in metres first: (N, columns) float32 of a raw little-endian
    file, or the array `data` of a .npz file (DDAD). OSError where it is missing or damaged,
    ValueError where it is empty or holds no whole number of points."""
    if str(path).endswith('.npz'):
        points = read_npy(path, 'copy or download the scan again', key='data')
        shape = points.shape if points.dtype.kind == 'f' else ()
        if len(shape) != 2 or shape[1] < 3 or shape[0] == 0:
            raise ValueError(
                f'LiDAR scan {path} must hold points (N, 4), got {points.dtype} of shape '
                f'{points.shape}; download it again'
            )
        return points
    data = read_bytes(path, empty=True)
    if not data or len(data) % (4 * columns):
        raise ValueError(
            f'LiDAR scan {path} has {len(data)} bytes, expected a positive multiple of '
            f'{4 * columns} ({columns} float32 per point): copy or download it again'
        )
    return np.frombuffer(data, '<f4').reshape(-1, columns)


def project_points(
    points: np.ndarray,
    matrices: Sequence[np.ndarray],
    size: tuple[int, int],
    min_depth: float = 0.0,
    depth: np.ndarray | None = None,
    first_pixel: int = 0,
) -> np.ndarray:
    """Sparse depth map (H, W) float32, 0 = nothing measured, of LiDAR points; of several points in
    a pixel, round(u, v), the nearest one stays.

    Args:
        points: (N, 3 or more) LiDAR coordinates, metres.
        matrices: from these to homogeneous pixels, one after another, (3, 4) or (3, 3) each:
            `[T_camera_lidar[:3], K]`, or one projection matrix.
        size: (width, height) of the image.
        min_depth: points at most that deep, metres, are dropped, as are those behind the camera.
        depth: (N,) what to draw of the points; None: z of the camera, metres.
        first_pixel: the number that the first row and column have.
    """
    width, height = size
    pixels = points[:, :3].astype(np.float64)
    for matrix in matrices:
        pixels = pixels @ matrix[:, :3].T
        if matrix.shape[1] == 4:
            pixels += matrix[:, 3]
        front = pixels[:, 2] > max(min_depth, 0.0)  # also drops NaN
        pixels = pixels[front]
        depth = depth[front] if depth is not None else None
    depth = pixels[:, 2] if depth is None else depth
    u, v = np.round(pixels[:, :2] / pixels[:, 2:]).T - first_pixel
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height) & (depth > 0)
    index = v[inside].astype(np.int64) * width + u[inside].astype(np.int64)
    drawn = np.full(height * width, np.inf, np.float32)
    np.minimum.at(drawn, index, depth[inside].astype(np.float32))
    drawn[np.isinf(drawn)] = 0
    return drawn.reshape(height, width)

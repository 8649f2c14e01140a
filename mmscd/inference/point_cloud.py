"""Coloured point clouds of a depth map, as .ply."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mmscd.datasets.formats.camera_file import CameraFile, check_pinhole

NO_CAMERA = (
    'needs the camera: give intrinsics="camera.yaml" (a file with fx, fy, cx, cy, width, height, '
    'or with hfov_deg), or a 3x3 matrix, in pixels of the input images'
)


class Intrinsics:
    """A pinhole camera for images of several sizes: a yaml file (see `CameraFile`), which with
    `scale` also holds for plain resizes of what it describes, or a (3, 3) matrix in pixels of the
    input images, pixel centres at whole numbers."""

    def __init__(self, source: Any, scale: bool = False) -> None:
        self.scale = scale
        path = isinstance(source, (str, os.PathLike))
        self.camera = CameraFile(source) if path else check_matrix(source)

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """K (3, 3) float64 for images of `shape` (H, W, ...). ValueError: the camera is for another
        size."""
        height, width = shape[:2]
        if isinstance(self.camera, CameraFile):
            return self.camera.intrinsics((width, height), self.scale)
        check_pinhole(self.camera, (width, height), 'intrinsics')
        return self.camera


def check_matrix(matrix: Any) -> np.ndarray:
    """A (3, 3) matrix of a pinhole camera as float64. ValueError: it is none."""
    try:
        K = np.array(matrix, np.float64)
    except (TypeError, ValueError):
        K = np.zeros(0)
    whole = K.shape == (3, 3) and np.isfinite(K).all()
    if not whole or K[0, 0] <= 0 or K[1, 1] <= 0 or not np.allclose(K[2], (0, 0, 1)):
        raise ValueError(
            'intrinsics must be a (3, 3) matrix [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels, '
            f'or the path of a yaml file, got {matrix!r}'
        )
    return K


def back_project(
    depth: np.ndarray, K: np.ndarray, part: tuple[slice, slice] = np.s_[:, :]
) -> np.ndarray:
    """Points of a depth (H, W) along z: float64 (h, w, 3), x right, y down, z ahead, in its unit.
    `K`: (3, 3), pixel centres at whole numbers; `part`: rows and columns that are wanted."""
    rows, columns = (np.arange(side)[kept] for side, kept in zip(depth.shape, part, strict=True))
    u, v = np.meshgrid(columns, rows)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T
    return rays * depth[part][..., None].astype(np.float64)


def at_edge(depth: np.ndarray, jump: float) -> np.ndarray:
    """bool (H, W): where depth (H, W) jumps to one of the four neighbours by more than the relative
    difference `jump`. Such points hang between object and background."""
    log, edge = np.log(np.maximum(depth, 1e-12)), np.zeros(depth.shape, bool)
    for values, marks in ((log, edge), (log.T, edge.T)):
        steps = np.abs(np.diff(values, axis=0)) > np.log1p(jump)
        marks[:-1] |= steps
        marks[1:] |= steps
    return edge


def make_point_cloud(
    depth: np.ndarray,
    image: np.ndarray,
    K: np.ndarray,
    max_depth: float | None = None,
    jump: float | None = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Points, float32 (N, 3), x right, y down, z ahead, and their colours, uint8 RGB (N, 3), of a
    depth (H, W) and an image (H, W, 3). Left out: what is farther than `max_depth` (None: than the
    98th percentile, for the most part sky) and edges by `jump` (see `at_edge`; None keeps them)."""
    limit = np.percentile(depth, 98) if max_depth is None else max_depth
    keep = np.isfinite(depth) & (depth > 0) & (depth <= limit)
    if jump is not None:
        keep &= ~at_edge(depth, jump)
    return back_project(depth, K)[keep].astype(np.float32), image[keep]


def encode_ply(points: np.ndarray, colors: np.ndarray) -> bytes:
    """A binary little-endian .ply of points (N, 3) and uint8 RGB colours (N, 3)."""
    kinds = dict(x='<f4', y='<f4', z='<f4', red='u1', green='u1', blue='u1')
    vertices = np.empty(len(points), list(kinds.items()))
    for name, column in zip(kinds, [*points.T, *colors.T], strict=True):
        vertices[name] = column
    names = {'<f4': 'float', 'u1': 'uchar'}
    fields = [f'property {names[kind]} {name}' for name, kind in kinds.items()]
    header = ['ply', 'format binary_little_endian 1.0', 'comment x right, y down, z ahead']
    header += [f'element vertex {len(points)}', *fields, 'end_header', '']
    return '\n'.join(header).encode('ascii') + vertices.tobytes()

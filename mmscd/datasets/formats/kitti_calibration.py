"""Calibration files of KITTI, and its convention for LiDAR points in an image.

Formats and matrices: A. Geiger et al., "Vision meets Robotics: The KITTI Dataset", IJRR 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmscd.utils.text import read_text

from .arrays import camera_matrix, finite_array
from .lidar import project_points

CAMERAS = {'l': '02', 'r': '03'}
DEPTH_AXES = ('camera_z', 'velodyne_x')


def read_calibration_file(path: str | Path) -> dict[str, np.ndarray]:
    """float64 vectors by key of a file of `key: number number ...` lines, such as
    `2011_09_26/calib_cam_to_cam.txt`, without `calib_time`. FileNotFoundError; ValueError (file and
    line) where a line is malformed."""
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(
            f'calibration file {path} does not exist; unpack the calibration archive of that date '
            '(e.g. 2011_09_26_calib.zip of KITTI raw) into the data root'
        ) from None
    values = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.split(':')[0].strip() == 'calib_time':
            continue
        try:
            key, text = line.split(':', 1)
            values[key.strip()] = np.array([float(word) for word in text.split()])
        except ValueError as error:
            raise ValueError(
                f'{path}:{number}: expected `key: number number ...`, got {line.strip()!r} '
                f'({error}); restore the official file'
            ) from None
    return values


def projection_matrix(values: Mapping[str, np.ndarray], key: str, path: str | Path) -> np.ndarray:
    """P = K [I | t] (3, 4) float64 of a rectified camera: `key` (`P2`, `P_rect_101`) of what
    `read_calibration_file` gave for `path`. ValueError where it is missing or not 12 finite numbers
    of a camera."""
    P = finite_array(values.get(key), (12,), f'{path}: {key}').reshape(3, 4)
    camera_matrix(P[:, :3], f'{path}: {key}')
    return P


def stereo_from_projections(
    P_target: np.ndarray, P_source: np.ndarray, what: str | Path
) -> np.ndarray:
    """T_source_target (4, 4) float64 metres of two rectified cameras with one K, else ValueError.
    With P_i = K [I | t_i], a point of the common frame is x_i = x + t_i in camera i."""
    K = P_target[:, :3]
    if not np.allclose(K, P_source[:, :3], rtol=1e-6):
        raise ValueError(
            f'{what}: the two cameras have different camera matrices, but a stereo sample has '
            'one K; restore the official file or use mono frame_ids'
        )
    T = np.eye(4)
    T[:3, 3] = np.linalg.solve(K, P_source[:, 3] - P_target[:, 3])
    return T


class KITTICalibration:
    """Rectified cameras 02 and 03 of one recording date, and the LiDAR: `folder` holds
    `calib_cam_to_cam.txt` and `calib_velo_to_cam.txt`, which is read when the LiDAR is asked
    for."""

    def __init__(self, folder: str | Path) -> None:
        self.cam_path = Path(folder) / 'calib_cam_to_cam.txt'
        self.velo_path = Path(folder) / 'calib_velo_to_cam.txt'
        self._cam = read_calibration_file(self.cam_path)
        self._velo: dict[str, np.ndarray] | None = None

    def projection(self, side: str) -> np.ndarray:
        """P_rect of a side (`l` or `r`), (3, 4) float64."""
        return projection_matrix(self._cam, f'P_rect_{CAMERAS[side]}', self.cam_path)

    def intrinsics(self, side: str) -> np.ndarray:
        """K of a side, (3, 3) float64, pixels of the rectified image."""
        return self.projection(side)[:, :3].copy()

    def size(self, side: str) -> tuple[int, int]:
        """(width, height) of the rectified image, pixels."""
        key = f'S_rect_{CAMERAS[side]}'
        width, height = finite_array(self._cam.get(key), (2,), f'{self.cam_path}: {key}')
        return round(width), round(height)

    def velodyne_to_image(self, side: str) -> np.ndarray:
        """P_rect @ R_rect_00 @ T_cam_velo, (3, 4) float64: LiDAR metres to homogeneous pixels."""
        if self._velo is None:
            self._velo = read_calibration_file(self.velo_path)
        rectify, cam_velo = np.eye(4), np.eye(4)
        rotation = finite_array(self._cam.get('R_rect_00'), (9,), f'{self.cam_path}: R_rect_00')
        rectify[:3, :3] = rotation.reshape(3, 3)
        R, T = (
            finite_array(self._velo.get(key), (count,), f'{self.velo_path}: {key}')
            for key, count in (('R', 9), ('T', 3))
        )
        cam_velo[:3, :3], cam_velo[:3, 3] = R.reshape(3, 3), T
        return self.projection(side) @ rectify @ cam_velo


def project_velodyne(
    points: np.ndarray,
    velodyne_to_image: np.ndarray,
    size: tuple[int, int],
    depth_axis: str = 'camera_z',
) -> np.ndarray:
    """Sparse depth map (H, W) float32 metres, 0 = nothing measured, of LiDAR points (N, 3 or 4),
    metres, as the MATLAB development kit makes it: pixels count from 1, and points with LiDAR x < 0
    are dropped. `size` is (width, height). `depth_axis`: `camera_z`, the depth in the rectified
    camera, or `velodyne_x`, the forward axis of the LiDAR, on which the published tables of the 697
    Eigen images stand."""
    if depth_axis not in DEPTH_AXES:
        raise ValueError(f'depth_axis must be one of {DEPTH_AXES}, got {depth_axis!r}')
    points = points[points[:, 0] >= 0]
    depth = points[:, 0] if depth_axis == 'velodyne_x' else None
    return project_points(points, [velodyne_to_image], size, depth=depth, first_pixel=1)

"""Calibration files of KITTI raw, and the projection of LiDAR points into an image.

Formats and matrices: A. Geiger et al., "Vision meets Robotics: The KITTI Dataset", IJRR 2013.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CAMERAS = {'l': '02', 'r': '03'}


def read_calibration_file(path: str | Path) -> dict[str, np.ndarray]:
    """Read `key: number number ...` lines.

    Args:
        path: e.g. `2011_09_26/calib_cam_to_cam.txt`.

    Returns:
        float64 vectors by key; `calib_time` is left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is malformed; names file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(
            f'calibration file {path} does not exist; unpack the calibration archive of that date '
            '(e.g. 2011_09_26_calib.zip of KITTI raw) into the data root'
        ) from None
    values = {}
    for number, line in enumerate(lines, 1):
        key, colon, text = line.partition(':')
        if not line.strip() or key.strip() == 'calib_time':
            continue
        try:
            if not colon:
                raise ValueError('no colon')
            values[key.strip()] = np.array([float(word) for word in text.split()])
        except ValueError as error:
            raise ValueError(
                f'{path}:{number}: expected `key: number number ...`, got {line.strip()!r} '
                f'({error}); restore the official file'
            ) from None
    return values


class KITTICalibration:
    """Rectified cameras 02 and 03 of one recording date, and the LiDAR.

    With P_rect_0i = K_i [I | t_i], a point of the rectified camera 00 is x_0i = x_00 + t_i in the
    rectified camera 0i.

    Args:
        folder: holds `calib_cam_to_cam.txt` and `calib_velo_to_cam.txt` (the second is read when
            the LiDAR is asked for).
    """

    def __init__(self, folder: str | Path) -> None:
        self.cam_path = Path(folder) / 'calib_cam_to_cam.txt'
        self.velo_path = Path(folder) / 'calib_velo_to_cam.txt'
        self._cam = read_calibration_file(self.cam_path)
        self._velo: dict[str, np.ndarray] | None = None

    def _get(self, key: str, count: int, lidar: bool = False) -> np.ndarray:
        path, values = self.cam_path, self._cam
        if lidar:
            if self._velo is None:
                self._velo = read_calibration_file(self.velo_path)
            path, values = self.velo_path, self._velo
        value = values.get(key)
        if value is None or value.size != count or not np.isfinite(value).all():
            came = 'nothing' if value is None else f'{value.size} values: {value.tolist()}'
            raise ValueError(
                f'{path}: expected `{key}:` with {count} finite numbers, got {came}; restore the '
                'official file'
            )
        return value

    def projection(self, side: str) -> np.ndarray:
        """P_rect of a side (`l` or `r`), (3, 4) float64."""
        return self._get(f'P_rect_{CAMERAS[side]}', 12).reshape(3, 4)

    def intrinsics(self, side: str) -> np.ndarray:
        """K of a side, (3, 3) float64, pixels of the rectified image."""
        K = self.projection(side)[:, :3]
        if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
            raise ValueError(
                f'{self.cam_path}: P_rect_{CAMERAS[side]} holds no camera matrix: {K.tolist()}; '
                'restore the official file'
            )
        return K.copy()

    def size(self, side: str) -> tuple[int, int]:
        """(width, height) of the rectified image, pixels."""
        width, height = self._get(f'S_rect_{CAMERAS[side]}', 2)
        return round(width), round(height)

    def stereo_transform(self, side: str) -> np.ndarray:
        """T_source_target from the camera of `side` (target) to the other one (source).

        Returns:
            (4, 4) float64, metres: a pure translation t_source - t_target, x about -0.53 for `l`.
        """
        target, source = side, 'r' if side == 'l' else 'l'
        K = self.intrinsics(target)
        if not np.allclose(K, self.intrinsics(source), rtol=1e-6):
            raise ValueError(
                f'{self.cam_path}: P_rect_02 and P_rect_03 have different camera matrices, but a '
                'stereo sample has one K; restore the official file or use mono frame_ids'
            )
        T = np.eye(4)
        offset = self.projection(source)[:, 3] - self.projection(target)[:, 3]
        T[:3, 3] = np.linalg.solve(K, offset)
        return T

    def velodyne_to_image(self, side: str) -> np.ndarray:
        """P_rect @ R_rect_00 @ T_cam_velo, (3, 4) float64: LiDAR metres to homogeneous pixels."""
        rectify, cam_velo = np.eye(4), np.eye(4)
        rectify[:3, :3] = self._get('R_rect_00', 9).reshape(3, 3)
        cam_velo[:3, :3] = self._get('R', 9, lidar=True).reshape(3, 3)
        cam_velo[:3, 3] = self._get('T', 3, lidar=True)
        return self.projection(side) @ rectify @ cam_velo


def read_velodyne(path: str | Path) -> np.ndarray:
    """Points of a LiDAR scan.

    Returns:
        (N, 4) float32: x forward, y left, z up in metres, and reflectance.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty or its size is not a whole number of points.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'LiDAR scan {path} does not exist; restore it') from None
    if not data or len(data) % 16:
        raise ValueError(
            f'LiDAR scan {path} has {len(data)} bytes, expected a positive multiple of 16 (4 '
            'float32 per point): it is truncated; copy or download it again'
        )
    return np.frombuffer(data, '<f4').reshape(-1, 4)


def project_velodyne(
    points: np.ndarray,
    velodyne_to_image: np.ndarray,
    size: tuple[int, int],
    depth_axis: str = 'camera_z',
) -> np.ndarray:
    """Sparse depth map of a LiDAR scan; of several points in a pixel the nearest one stays.

    The pixel is round(u, v) - 1, as in the MATLAB development kit. Points with LiDAR x < 0 are
    dropped, as are points behind the camera.

    Args:
        points: (N, 4) or (N, 3) LiDAR coordinates, metres.
        velodyne_to_image: (3, 4), see `KITTICalibration.velodyne_to_image`.
        size: (width, height) of the image.
        depth_axis: `camera_z`, the depth in the rectified camera, or `velodyne_x`, the forward
            axis of the LiDAR, on which the published tables of the 697 Eigen images stand.

    Returns:
        (H, W) float32 metres, 0 where nothing was measured.
    """
    if depth_axis not in ('camera_z', 'velodyne_x'):
        raise ValueError(f"depth_axis must be 'camera_z' or 'velodyne_x', got {depth_axis!r}")
    width, height = size
    xyz = points[points[:, 0] >= 0, :3].astype(np.float64)
    pixels = xyz @ velodyne_to_image[:, :3].T + velodyne_to_image[:, 3]
    front = pixels[:, 2] > 0
    xyz, pixels = xyz[front], pixels[front]
    depth = pixels[:, 2] if depth_axis == 'camera_z' else xyz[:, 0]
    u, v = np.round(pixels[:, :2] / pixels[:, 2:]).T - 1
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height) & (depth > 0)
    index = v[inside].astype(np.int64) * width + u[inside].astype(np.int64)
    depth_map = np.full(height * width, np.inf, np.float32)
    np.minimum.at(depth_map, index, depth[inside].astype(np.float32))
    depth_map[np.isinf(depth_map)] = 0
    return depth_map.reshape(height, width)

"""A tiny tree in the layout of KITTI raw."""

import cv2
import numpy as np
import pytest

DATE, DRIVE = '2011_09_26', '2011_09_26_drive_0001_sync'
SIZE = (64, 24)  # width, height
CAM_TO_CAM = """calib_time: 09-Jan-2012 13:57:47
S_rect_02: 6.4e+01 2.4e+01
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 40 0 31 2.0 0 40 12 0.4 0 0 1 0.01
S_rect_03: 6.4e+01 2.4e+01
P_rect_03: 40 0 31 -18.0 0 40 12 0.4 0 0 1 0.01
"""
# x of the camera is -y of the LiDAR, y is -z, z is x
VELO_TO_CAM = """calib_time: 15-Mar-2012 11:37:16
R: 0 -1 0 0 0 -1 1 0 0
T: 0 0 -0.27
"""


def write_image(path, seed, size=SIZE):
    """A smooth random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def kitti(tmp_path):
    """Data root with one drive: frames 0..5 of both cameras as PNG, LiDAR scans of 1..4."""
    root = tmp_path / 'kitti'
    drive = root / DATE / DRIVE
    for camera in (2, 3):
        for frame in range(6):
            write_image(drive / f'image_0{camera}/data/{frame:010d}.png', 10 * camera + frame)
    (root / DATE / 'calib_cam_to_cam.txt').write_text(CAM_TO_CAM)
    (root / DATE / 'calib_velo_to_cam.txt').write_text(VELO_TO_CAM)
    scans = drive / 'velodyne_points/data'
    scans.mkdir(parents=True)
    for frame in range(1, 5):
        rng = np.random.default_rng(frame)
        points = rng.uniform([-5, -8, -2, 0], [40, 8, 2, 1], (400, 4)).astype('<f4')
        points.tofile(scans / f'{frame:010d}.bin')
    return root


@pytest.fixture
def split(tmp_path):
    """Writes a split file and returns its path."""

    def write(*lines):
        path = tmp_path / 'split.txt'
        path.write_text(''.join(f'{line}\n' for line in lines))
        return str(path)

    return write

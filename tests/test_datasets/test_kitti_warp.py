"""The geometry of the reader, proven on real images: LiDAR depth warps image_03 onto image_02."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmscd.datasets import KITTIRawDataset

DATA = os.environ.get('MMSCD_DATA')
pytestmark = pytest.mark.skipif(not DATA, reason='MMSCD_DATA (real KITTI frames) is not set')
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def bilinear(image, u, v):
    """Naive bilinear lookup; NaN outside. Pixel centres are whole numbers."""
    height, width = image.shape[:2]
    inside = (u >= 0) & (v >= 0) & (u <= width - 1) & (v <= height - 1)
    values = np.full((len(u), 3), np.nan)
    for n in np.flatnonzero(inside):
        x0, y0 = min(int(u[n]), width - 2), min(int(v[n]), height - 2)
        a, b = u[n] - x0, v[n] - y0
        values[n] = (1 - b) * ((1 - a) * image[y0, x0] + a * image[y0, x0 + 1]) + b * (
            (1 - a) * image[y0 + 1, x0] + a * image[y0 + 1, x0 + 1]
        )
    return values


def warped_pixels(depth, K, T):
    """Target pixels (u, v) with depth and where they lie in the source, x_source = T x_target."""
    v, u = np.nonzero(depth)
    z = depth[v, u].astype(np.float64)
    x = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z])
    x = T[:3, :3] @ x + T[:3, 3:]
    return u, v, K[0, 0] * x[0] / x[2] + K[0, 2], K[1, 1] * x[1] / x[2] + K[1, 2]


def warp_error(target, source, depth, K, T):
    """Mean absolute colour difference (0..255) at pixels with depth."""
    u, v, u_source, v_source = warped_pixels(depth, K, T)
    return np.nanmean(np.abs(target[v, u] - bilinear(source, u_source, v_source)))


@pytest.fixture(scope='module')
def samples():
    """The 25 Eigen test images of drive 0013 with their right partners, every third LiDAR row."""
    dataset = KITTIRawDataset(
        f'{DATA}/kitti_raw',
        f'{DATA}/splits/eigen/test_files.txt',
        frame_ids=(0, 's'),
        drives=['2011_09_26_drive_0013_sync'],
        pipeline=[dict(type='LoadFrames')],
        test_mode=True,
    )
    found = []
    for index in range(len(dataset)):
        sample = dataset[index]
        sample['gt_depth'][np.arange(375) % 3 != 0] = 0
        found.append(sample)
    return found


def test_lidar_depth_warps_right_onto_left(samples):
    assert len(samples) == 25
    for sample in samples:
        target, source = (frame.astype(np.float64) for frame in sample['frames'])
        depth, K, T = sample['gt_depth'], sample['K'], sample['T_stereo']
        backward = T.copy()
        backward[:3, 3] *= -1
        true = warp_error(target, source, depth, K, T)
        name = Path(sample['img_path']).name
        assert true < 0.6 * warp_error(target, source, depth, K, np.eye(4)), name
        assert true < 0.6 * warp_error(target, source, depth, K, backward), name


def test_flip_convention(samples):
    """cx -> W - 1 - cx and T -> M T M see mirrored images as the plain ones see theirs."""
    for sample in samples[::5]:
        target, source = (frame.astype(np.float64) for frame in sample['frames'])
        depth, K, T = sample['gt_depth'], sample['K'], sample['T_stereo']
        flipped = K.copy()
        flipped[0, 2] = target.shape[1] - 1 - K[0, 2]
        pair = target[:, ::-1], source[:, ::-1], depth[:, ::-1]
        plain = warp_error(target, source, depth, K, T)
        assert warp_error(*pair, flipped, MIRROR @ T @ MIRROR) == pytest.approx(plain, rel=1e-9)
        assert warp_error(*pair, flipped, T) > 1.3 * plain


def test_flip_of_a_turned_camera(samples):
    """A rectified pair does not see cx; a camera that also turns does."""
    depth, K, T = (samples[0][key] for key in ('gt_depth', 'K', 'T_stereo'))
    c, s = np.cos(0.05), np.sin(0.05)
    turned = T @ np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]])
    last = depth.shape[1] - 1
    flipped = K.copy()
    flipped[0, 2] = last - K[0, 2]

    u, v, u_source, v_source = warped_pixels(depth, K, turned)
    order = np.lexsort((-u, v))  # of the mirrored pixels, row by row
    expected = last - u_source[order], v_source[order]
    mirrored = MIRROR @ turned @ MIRROR
    found = warped_pixels(depth[:, ::-1], flipped, mirrored)[2:]
    assert np.allclose(found, expected, atol=1e-8)
    wrong = warped_pixels(depth[:, ::-1], K, mirrored)[2:]
    assert np.abs(np.subtract(wrong, expected)).max() > 0.5

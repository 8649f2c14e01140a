"""Protocols of the data sets beyond KITTI raw: bounds, windows, alignment."""

import math

import numpy as np
import pytest

from mmscd.evaluation import evaluate_depth, get_protocol
from mmscd.evaluation.functional import crop_bounds


@pytest.mark.parametrize(
    ('name', 'bounds', 'clip', 'alignment'),
    [
        ('driving_stereo', (0, math.inf), (1e-3, 80), 'median'),
        ('nuscenes_night', (1e-5, 60), (1e-5, 60), 'median'),
        ('nuscenes', (0.1, 80), (0.1, 80), 'median'),
        ('robotcar_night_40m', (1e-5, 40), (1e-5, 40), 'median'),
        ('robotcar_night_60m', (1e-5, 60), (1e-5, 60), 'median'),
        ('robotcar', (0.1, 50), (0.1, 50), 'median'),
        ('cityscapes', (1e-3, 80), (1e-3, 80), 'median'),
        ('foggy_cityscapes', (1e-3, 80), (1e-3, 80), 'median'),
        ('make3d_c1', (0, 70), (1e-3, 70), 'median'),
        ('ddad', (0, 200), (1e-3, 200), 'median'),
        ('kitti_2015', (0, math.inf), (1e-3, 80), 'median'),
        ('kitti_2015_stereo', (0, math.inf), (1e-3, 80), 'none'),
        ('kitti_depth_benchmark', (0, math.inf), (1e-3, 255), 'none'),
    ],
)
def test_bounds(name, bounds, clip, alignment):
    protocol = get_protocol(name)
    assert protocol.gt_bounds == bounds and protocol.alignment == alignment
    assert (protocol.min_depth, protocol.max_depth) == clip


@pytest.mark.parametrize('name', ['cityscapes', 'foggy_cityscapes'])
@pytest.mark.parametrize('height', [1024, 768])
def test_cityscapes_window_with_and_without_the_lower_quarter(name, height):
    """As the published code: drop the lower quarter, then [256:, 192:1856]."""
    gt = np.zeros((height, 2048))
    gt[:] = np.arange(1, height + 1)[:, None] / 20
    published = np.zeros_like(gt, bool)
    published[:768][256:, 192:1856] = True
    top, bottom, left, right = crop_bounds(get_protocol(name).crop, gt.shape)
    ours = np.zeros_like(published)
    ours[top:bottom, left:right] = True
    np.testing.assert_array_equal(ours, published)
    assert evaluate_depth(gt, gt, get_protocol(name))['n_pixels'] == published.sum()


def test_robotcar_window_with_and_without_cut_truth():
    crop = get_protocol('robotcar_night_40m').crop
    assert crop_bounds(crop, (960, 1280)) == (160, 800, 64, 1216)
    assert crop_bounds(crop, (640, 1152)) == (0, 640, 0, 1152)

"""The random window and its camera."""

import numpy as np
import pytest

from mmscd.datasets.transforms import RandomZoom
from mmscd.utils.keyed_random import make_key


def sample(key):
    """Frames whose pixels say where they are: red is u, green is v."""
    v, u = np.mgrid[:60, :200]
    frame = np.stack([u, v, np.zeros_like(u)], -1).astype(np.uint8)
    K = np.array([[100.0, 0, 99.5], [0, 100.0, 29.5], [0, 0, 1]])
    return dict(frames=[frame, frame.copy()], K=K, draw_key=key)


def test_window_and_principal_point_agree():
    """A scene point keeps its colour: pixel (u, v) of the crop shows pixel (u + x, v + y)."""
    sizes, corners = set(), set()
    for i in range(200):
        before = sample(make_key(0, i))
        after = RandomZoom(scale=(0.5, 0.9), prob=1)(dict(before))
        crop = after['frames'][0]
        x, y = (before['K'] - after['K'])[:2, 2]
        assert crop[0, 0].tolist() == [x, y, 0]
        assert np.array_equal(after['frames'][0], after['frames'][1])
        assert np.array_equal(after['K'][:2, :2], before['K'][:2, :2])
        assert 0.5 <= crop.shape[1] / 200 <= 0.9
        assert abs(crop.shape[1] / 200 - crop.shape[0] / 60) < 0.02
        sizes.add(crop.shape)
        corners.add((x, y))
    assert len(sizes) > 30 and len(corners) > 100


def test_share_of_zoomed_samples_and_determinism():
    zoom = RandomZoom(prob=0.25)
    shapes = [zoom(sample(make_key(1, i)))['frames'][0].shape for i in range(800)]
    zoomed = np.mean([shape != (60, 200, 3) for shape in shapes])
    assert abs(zoomed - 0.25) < 0.05
    assert shapes == [zoom(sample(make_key(1, i)))['frames'][0].shape for i in range(800)]


@pytest.mark.parametrize('scale', [(0, 1), (0.8, 0.5), (0.5, 1.2)])
def test_bad_scale(scale):
    with pytest.raises(ValueError, match='scale must lie'):
        RandomZoom(scale=scale)

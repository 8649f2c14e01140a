"""Quaternions, rigid poses and LiDAR projection."""

import numpy as np
import pytest

from mmscd.datasets.formats.arrays import disparity_to_depth, read_depth_npy
from mmscd.datasets.formats.lidar import (
    project_points,
    read_points,
    rigid_pose,
    rotation_from_quaternion,
)


def test_quaternion_is_a_rotation_about_its_axis():
    rng = np.random.default_rng(0)
    for _ in range(20):
        axis = rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        angle = rng.uniform(-3, 3)
        q = [np.cos(angle / 2), *(np.sin(angle / 2) * axis)]
        x = rng.normal(size=3)
        # Rodrigues
        expected = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle)
        expected += axis * (axis @ x) * (1 - np.cos(angle))
        np.testing.assert_allclose(rotation_from_quaternion(q) @ x, expected, atol=1e-12)


def test_bad_poses_are_named():
    with pytest.raises(ValueError, match='f.json: rotation: a rotation is a quaternion.*length 2'):
        rigid_pose([2, 0, 0, 0], [0, 0, 0], 'f.json')
    with pytest.raises(ValueError, match='f.json: translation: expected 3 finite'):
        rigid_pose([1, 0, 0, 0], [0, np.nan, 0], 'f.json')
    with pytest.raises(ValueError, match='expected 4 finite numbers, got .*None'):
        rotation_from_quaternion([None, 0, 0, 0])


def test_projection_by_hand():
    K = np.array([[10.0, 0, 4], [0, 10, 3], [0, 0, 1]])
    T = np.eye(4)
    T[2, 3] = 1.0
    points = [
        [0, 0, 4],  # z 5: pixel (4, 3)
        [0, 0, 2],  # z 3: nearer, same pixel
        [1, 0, 4],  # u = 10 / 5 + 4 = 6
        [0, -1.5, 4],  # v = 0
        [0, -2.6, 4],  # above the image
        [0, 0, -3],  # behind
        [0, 0, -0.5],  # z 0.5: too near
        [np.nan, 0, 4],
    ]
    depth = project_points(np.array(points), [T[:3], K], (8, 6), min_depth=1.0)
    expected = np.zeros((6, 8))
    expected[3, 4], expected[3, 6], expected[0, 4] = 3, 5, 5
    np.testing.assert_array_equal(depth, expected)
    assert depth.dtype == np.float32


def test_files(tmp_path):
    path = tmp_path / 'a.bin'
    np.arange(10, dtype='<f4').tofile(path)
    np.testing.assert_array_equal(read_points(path, 5), [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    with pytest.raises(ValueError, match=r'a\.bin has 40 bytes, .*multiple of 12'):
        read_points(path, 3)
    with pytest.raises(FileNotFoundError, match='restore it'):
        read_points(tmp_path / 'b.bin', 5)
    np.save(tmp_path / 'd.npy', np.ones((1, 2, 3)))
    assert read_depth_npy(tmp_path / 'd.npy').shape == (2, 3)
    (tmp_path / 'd.npy').write_bytes(b'not numpy')
    with pytest.raises(OSError, match=r'd\.npy cannot be read'):
        read_depth_npy(tmp_path / 'd.npy')


def test_disparity():
    depth = disparity_to_depth(np.array([[0.0, 2.0], [-1.0, 0.5]]), 100.0)
    np.testing.assert_array_equal(depth, [[0, 50], [0, 200]])

"""The predictors that know nothing of the picture, against the analytic plane."""

import numpy as np
import pytest

from mmscd.evaluation import ConstantDepth, DepthMap, FlatRoad, build_references

META = dict(K_ori=[[700.0, 0, 600], [0, 650.0, 170], [0, 0, 1]], ori_shape=(375, 1242))


def test_flat_road_hits_the_plane():
    depth = FlatRoad(camera_height=1.65, far_cap=40)((375, 1242), META)
    assert depth.shape == (375, 1242)
    for row in (300, 200):
        # the ray through (u, v) meets the plane y = 1.65 m below the camera
        ray = np.linalg.inv(np.array(META['K_ori'])) @ [77, row, 1]
        assert depth[row, 77] == pytest.approx(1.65 / ray[1])
    assert depth[171, 0] == 40  # 1072 m without the cap
    assert (depth[:171] == 40).all()


def test_flat_road_at_another_size_looks_at_the_same_rays():
    full = FlatRoad(far_cap=1e9)((376, 8), dict(META, ori_shape=(376, 8)))
    half = FlatRoad(far_cap=1e9)((188, 4), dict(META, ori_shape=(376, 8)))
    # row 120 of the half image looks between rows 240 and 241: the mean of inverse depths
    assert 1 / half[120, 0] == pytest.approx((1 / full[240, 0] + 1 / full[241, 0]) / 2)


def test_constant_and_config():
    built = build_references(
        [
            dict(type='constant'),
            dict(type='flat_road', camera_height=1.5, far_caps=(20, 30)),
            dict(type='flat_road'),
        ]
    )
    assert [reference.name for reference in built] == [
        'constant depth',
        'flat road, cap 20 m',
        'flat road, cap 30 m',
        'flat road, cap 80 m',
    ]
    assert built[1].camera_height == 1.5
    assert (ConstantDepth(7)((2, 3), {}) == 7).all()


def test_errors():
    with pytest.raises(ValueError, match='road'):
        build_references([dict(type='road')])
    with pytest.raises(KeyError, match='K_ori'):
        FlatRoad()((4, 4), dict(img_path='a.png'))
    with pytest.raises(ValueError, match='-1'):
        FlatRoad(camera_height=-1)


def test_depth_map_is_resized_as_inverse_depth(tmp_path):
    depth = np.random.default_rng(0).uniform(2, 80, (4, 6)).astype(np.float32)
    np.save(tmp_path / 'depth.npy', depth)
    np.save(tmp_path / 'inverse.npy', 1 / depth)
    (mean,) = build_references([dict(type='depth_map', path=str(tmp_path / 'depth.npy'))])
    assert (mean.name, mean.key) == ('mean depth map', 'mean_depth_map')
    assert mean((4, 6), {}) == pytest.approx(depth)
    # pixel (3, 5) at twice the size lies at (1.25, 2.25) of the small map, half-pixel convention
    inverse = 1 / depth[1:3, 2:4].astype(np.float64)
    expected = np.array([0.75, 0.25]) @ inverse @ np.array([0.75, 0.25])
    assert 1 / mean((8, 12), {})[3, 5] == pytest.approx(expected, rel=1e-5)
    other = DepthMap(tmp_path / 'inverse.npy', inverse=True, name='Other  map')
    assert other.key == 'other_map'
    assert other((8, 12), {}) == pytest.approx(mean((8, 12), {}), rel=1e-5)


def test_depth_map_errors(tmp_path):
    path = tmp_path / 'map.npy'
    with pytest.raises(FileNotFoundError, match='map.npy'):
        DepthMap(path)
    for bad in (np.ones((2, 3, 4)), np.ones((2, 3), np.int32)):
        np.save(path, bad)
        with pytest.raises(ValueError, match='expected float'):
            DepthMap(path)
    for value in (0.0, -1.0, np.nan, np.inf, 1e300, 1e-300):
        np.save(path, np.array([[1.0, value]]))
        with pytest.raises(ValueError, match='finite and positive'):
            DepthMap(path)

"""The predictors that know nothing of the picture, against the analytic plane."""

import numpy as np
import pytest

from mmscd.evaluation import ConstantDepth, FlatRoad, build_references

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

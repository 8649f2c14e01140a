"""Temporal consistency: planes seen by a moving camera, in closed form, and a plain loop."""

import numpy as np
import pytest

from mmscd.evaluation.temporal import (
    motion_ratios,
    pair_consistency,
    reproject_depth,
    video_consistency,
    video_scale,
)

K = np.array([[60.0, 0, 39.5], [0, 60.0, 19.5], [0, 0, 1]])
SHAPE = (40, 80)


def plane_depth(T_camera_world, normal, offset):
    """Depth of the plane normal . x_world = offset, exact at every pixel."""
    rotation, shift = T_camera_world[:3, :3], T_camera_world[:3, 3]
    own_normal = rotation @ normal
    own_offset = offset + own_normal @ shift
    v, u = np.indices(SHAPE)
    rays = np.stack([u, v, np.ones(SHAPE)], -1) @ np.linalg.inv(K).T
    return own_offset / (rays @ own_normal)


def move(forward=0.5, yaw=0.03, side=0.1):
    T = np.eye(4)
    T[:3, :3] = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    T[:3, 3] = [side, -0.02, -forward]
    return T


WALL = (np.array([0.3, 0.1, 1.0]), 8.0)


def test_true_depth_of_a_plane_agrees_exactly():
    T = move()
    now, then = plane_depth(np.eye(4), *WALL), plane_depth(T, *WALL)
    z, seen = reproject_depth(now, 1 / then, T, K)
    # inverse depth is affine, so bilinear reading is exact; beyond the centres of the outermost
    # pixels the border is repeated
    assert np.median(np.abs(z - seen)) < 1e-12
    assert np.mean(np.abs(z - seen) < 1e-9) > 0.95
    numbers = pair_consistency(now, 1 / then, T, K)
    assert numbers['inconsistency'] < 1e-4 and numbers['agreement'] == 1
    assert numbers['ratio'] == pytest.approx(1, abs=1e-9)
    assert 0.8 < numbers['coverage'] < 1


def test_closed_forms():
    still = np.eye(4)
    depth = np.full(SHAPE, 10.0)
    # twice as far in the next frame: |10 - 20| / 30
    numbers = pair_consistency(depth, np.full(SHAPE, 1 / 20), still, K)
    assert numbers == pytest.approx(
        dict(inconsistency=1 / 3, agreement=0, ratio=2, coverage=1), rel=1e-12
    )
    # 2 m ahead of a camera that believes in 10 m everywhere: 8 against 10
    ahead = np.eye(4)
    ahead[2, 3] = -2
    numbers = pair_consistency(depth, 1 / depth, ahead, K)
    assert numbers['inconsistency'] == pytest.approx(1 / 9)
    assert numbers['ratio'] == pytest.approx(1.25)
    # what leaves the image does not count: 80 % of either side are left
    assert numbers['coverage'] == pytest.approx(0.64, abs=0.01)
    # behind the camera
    ahead[2, 3] = -20
    numbers = pair_consistency(depth, 1 / depth, ahead, K)
    assert numbers['coverage'] == 0 and np.isnan(numbers['inconsistency'])


def test_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    depth, after = rng.uniform(4, 9, SHAPE), rng.uniform(4, 9, SHAPE)
    T, inv = move(0.7, -0.05, -0.3), 1 / after
    errors, ratios = [], []
    for v in range(SHAPE[0]):
        for u in range(SHAPE[1]):
            point = T[:3, :3] @ (depth[v, u] * np.linalg.inv(K) @ [u, v, 1]) + T[:3, 3]
            x, y = (K @ point)[:2] / point[2]
            if not (-0.5 <= x <= SHAPE[1] - 0.5 and -0.5 <= y <= SHAPE[0] - 0.5):
                continue
            x, y = np.clip(x, 0, SHAPE[1] - 1), np.clip(y, 0, SHAPE[0] - 1)
            left, top = min(int(x), SHAPE[1] - 2), min(int(y), SHAPE[0] - 2)
            a, b = x - left, y - top
            patch = inv[top : top + 2, left : left + 2]
            read = (1 - b) * ((1 - a) * patch[0, 0] + a * patch[0, 1])
            read += b * ((1 - a) * patch[1, 0] + a * patch[1, 1])
            errors.append(abs(point[2] - 1 / read) / (point[2] + 1 / read))
            ratios.append(1 / read / point[2])
    numbers = pair_consistency(depth, inv, T, K)
    assert numbers['inconsistency'] == pytest.approx(np.mean(errors), rel=1e-9)
    assert numbers['ratio'] == pytest.approx(np.median(ratios), rel=1e-9)
    within = [max(r, 1 / r) < 1.25 for r in ratios]
    assert numbers['agreement'] == pytest.approx(np.mean(within))
    assert numbers['coverage'] == len(errors) / depth.size


def test_one_scale_per_video_leaves_flicker_visible():
    poses = [np.eye(4)]
    for _ in range(4):
        poses.append(move() @ poses[-1])
    depths = [plane_depth(T, *WALL) for T in poses]
    motions = np.stack([move()] * 4)
    clean, pairs = video_consistency([1 / d for d in depths], motions, K)
    assert clean['inconsistency'] < 1e-4 and clean['flicker'] < 1e-6 and clean['n_pairs'] == 4
    assert len(pairs) == 4
    # a scale of its own undone by `scale`
    same, _ = video_consistency([3 / d for d in depths], motions, K, scale=3)
    assert same == pytest.approx(clean, abs=1e-9)
    wrong, _ = video_consistency([3 / d for d in depths], motions, K)
    assert wrong['inconsistency'] > 10 * clean['inconsistency']
    # every other frame 10 % too far
    jumping = [1 / d / (1.1 if i % 2 else 1) for i, d in enumerate(depths)]
    flicker, _ = video_consistency(jumping, motions, K)
    assert flicker['flicker'] == pytest.approx(np.log(1.1), abs=0.01)
    assert flicker['inconsistency'] == pytest.approx(0.1 / 2.1, abs=0.01)


def test_scales():
    assert video_scale([1, np.nan, 3, np.inf, 2, -5, 0]) == 2
    with pytest.raises(ValueError, match='none of 2 ratios'):
        video_scale([np.nan, 0])
    gt = np.stack([move(0.5), move(1.0)])
    pred = gt.copy()
    pred[:, :3, 3] /= 7
    assert motion_ratios(gt, pred) == pytest.approx([7, 7])


def test_what_is_wrong_is_said():
    depth = np.full(SHAPE, 5.0)
    with pytest.raises(ValueError, match='one motion less'):
        video_consistency([depth, depth], np.stack([np.eye(4)] * 2), K)
    with pytest.raises(ValueError, match='scale'):
        video_consistency([depth, depth], np.eye(4)[None], K, scale=0)
    with pytest.raises(ValueError, match='two maps'):
        pair_consistency(depth, depth[:5], np.eye(4), K)
    with pytest.raises(ValueError, match='not finite'):
        pair_consistency(depth, depth, np.full((4, 4), np.nan), K)
    broken = depth.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ValueError, match='1 of 3 frames is not finite .first: number 1'):
        video_consistency([depth, broken, depth], np.stack([np.eye(4)] * 2), K)
    away = np.eye(4)
    away[2, 3] = -100
    with pytest.raises(ValueError, match='no pixel'):
        video_consistency([1 / depth] * 2, away[None], K)

"""Trajectories: analytic cases, and plain loops as references."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmscd.datasets.kitti_odometry import read_poses
from mmscd.evaluation.trajectory import (
    accumulate,
    align_trajectory,
    best_scale,
    check_poses,
    format_kitti_poses,
    judge_trajectory,
    relative_motions,
    snippet_errors,
    straight_ahead,
    to_first,
    trajectory_rmse,
    umeyama,
)

DATA = os.environ.get('MMSCD_DATA')


def rotation(seed, size=1.0):
    """A rotation from a QR decomposition of noise around the identity."""
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(np.eye(3) + size * rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def random_walk(seed, count=12, turn=0.05):
    rng = np.random.default_rng(seed)
    motions = np.tile(np.eye(4), (count - 1, 1, 1))
    for i, motion in enumerate(motions):
        motion[:3, :3] = rotation(100 * seed + i, turn)
        motion[:3, 3] = rng.normal(scale=0.1, size=3) - [0, 0, 1]
    return accumulate(motions)


def turn_left(count, angle, step=1.0):
    """A circle in the plane y = 0, closed form: chords of length `step`."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    position = np.zeros(3)
    for i in range(count):
        a = i * angle
        poses[i, :3, :3] = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
        poses[i, :3, 3] = position
        position = position + step * np.array([-np.sin(a), 0, np.cos(a)])
    return poses


def test_motions_and_poses_undo_each_other():
    poses = random_walk(1)
    assert accumulate(relative_motions(poses)) == pytest.approx(poses, abs=1e-12)
    # a camera that moves forward sees the world come nearer: t_z of T_next_frame is negative
    ahead = accumulate(straight_ahead(4, 2.0))
    assert ahead[:, :3, 3] == pytest.approx(np.array([[0, 0, 2.0 * i] for i in range(5)]))
    curve = turn_left(6, 0.3)
    assert accumulate(relative_motions(curve)) == pytest.approx(curve, abs=1e-12)


def naive_snippets(pred, gt, length):
    """Frame by frame, from the description in the paper."""
    errors = []
    for first in range(len(gt) - length + 1):
        points, truth = [], []
        for i in range(first, first + length):
            points.append((np.linalg.inv(pred[first]) @ pred[i])[:3, 3])
            truth.append((np.linalg.inv(gt[first]) @ gt[i])[:3, 3])
        top = sum(float(p @ t) for p, t in zip(points, truth, strict=True))
        bottom = sum(float(p @ p) for p in points)
        scale = top / bottom
        square = sum(
            float(np.sum((scale * p - t) ** 2)) for p, t in zip(points, truth, strict=True)
        )
        errors.append(square**0.5 / length)
    return errors


@pytest.mark.parametrize('length', [2, 3, 5])
def test_snippets_equal_a_plain_loop(length):
    pred, gt = random_walk(2), random_walk(3)
    assert snippet_errors(pred, gt, length) == pytest.approx(
        naive_snippets(pred, gt, length), rel=1e-10
    )


def test_snippets_forgive_scale_and_frame_of_reference_but_no_more():
    gt = random_walk(4)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = rotation(9), [5, -3, 2]
    pred = world @ gt
    scaled = pred.copy()
    scaled[:, :3, 3] *= 0.037
    for poses in (pred, scaled):
        assert snippet_errors(poses, gt) == pytest.approx(0, abs=1e-10)
        assert trajectory_rmse(poses, gt, 'scale') == pytest.approx(0, abs=1e-10)
        assert trajectory_rmse(poses, gt, 'similarity') == pytest.approx(0, abs=1e-10)
    # a wrong heading of the first camera turns the whole trajectory
    turned = gt.copy()
    turned[0] = turned[0] @ np.block([[rotation(5, 0.2), np.zeros((3, 1))], [0, 0, 0, 1]])
    assert trajectory_rmse(turned, gt, 'scale') > 0.1
    assert trajectory_rmse(turned, gt, 'similarity') == pytest.approx(0, abs=1e-10)


def test_closed_forms():
    # straight line against a standstill: distances 0, 1, 2, 3, 4
    gt = accumulate(straight_ahead(4))
    still = np.tile(np.eye(4), (5, 1, 1))
    assert snippet_errors(still, gt) == pytest.approx([30**0.5 / 5])
    assert trajectory_rmse(still, gt, 'scale') == pytest.approx(6**0.5)
    # similarity: all points at the mean, distances 2, 1, 0, 1, 2
    assert trajectory_rmse(still, gt, 'similarity') == pytest.approx(2**0.5)
    assert best_scale(still[:, :3, 3], gt[:, :3, 3]) == 1
    # a right angle after one step, against straight on: s = 1 / 5, residuals of 4 / 5 and 9 / 5
    bend = np.tile(np.eye(4), (3, 1, 1))
    bend[1, :3, 3], bend[2, :3, 3] = [0, 0, 1], [1, 0, 1]
    scale = 3 / 5
    expected = ((scale - 1) ** 2 + 1 + (2 * scale - 1) ** 2) ** 0.5 / 3
    assert snippet_errors(gt[:3], bend, 3) == pytest.approx([expected])


def test_umeyama_finds_the_similarity_and_refuses_mirrors():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3))
    turn, shift = rotation(3), np.array([1.0, -2, 3])
    scale, found, translation = umeyama(points, 2.5 * points @ turn.T + shift)
    assert scale == pytest.approx(2.5)
    assert found == pytest.approx(turn) and translation == pytest.approx(shift)
    assert umeyama(points, 2.5 * points @ turn.T, with_scale=False)[0] == 1
    mirrored = points * [1, 1, -1]
    scale, found, translation = umeyama(points, mirrored)
    assert np.linalg.det(found) == pytest.approx(1)
    # no small change of the answer is better
    noisy = mirrored + 0.1 * rng.normal(size=points.shape)
    scale, found, translation = umeyama(points, noisy)

    def error(s, r, t):
        return np.sum((s * points @ r.T + t - noisy) ** 2)

    best = error(scale, found, translation)
    for seed in range(20):
        assert error(scale, found @ rotation(seed, 0.01), translation) > best
        assert error(scale * (1 + 0.01 * (-1) ** seed), found, translation) > best
        assert error(scale, found, translation + 0.01 * rng.normal(size=3)) > best
    with pytest.raises(ValueError, match='N > 0'):
        umeyama(points, points[:3])


def test_aligned_positions_end_where_they_should():
    gt = random_walk(6)
    pred = gt.copy()
    pred[:, :3, 3] *= 3
    for alignment in ('scale', 'similarity'):
        assert align_trajectory(pred, gt, alignment) == pytest.approx(
            to_first(gt)[:, :3, 3], abs=1e-10
        )
    numbers = judge_trajectory(pred, gt, (3, 5))
    assert numbers['scale'] == pytest.approx(1 / 3)
    assert set(numbers) == {
        *(f'ate{n}_{kind}' for n in (3, 5) for kind in ('mean', 'std')),
        *('rmse_similarity', 'rmse_scale', 'scale'),
    }
    errors = snippet_errors(random_walk(7), gt)
    numbers = judge_trajectory(random_walk(7), gt)
    assert numbers['ate5_mean'] == pytest.approx(errors.mean())
    assert numbers['ate5_std'] == pytest.approx(errors.std())


def test_files_and_what_is_refused(tmp_path):
    path = tmp_path / 'poses.txt'
    poses = random_walk(8)
    path.write_text(format_kitti_poses(poses))
    assert read_poses(path) == pytest.approx(poses, abs=1e-8)
    stretched = poses.copy()
    stretched[3, 0] *= 2
    with pytest.raises(ValueError, match='not rigid motions .first: number 3'):
        check_poses(stretched)
    with pytest.raises(ValueError, match='shape'):
        check_poses(poses[:, :3])
    with pytest.raises(ValueError, match='finite'):
        check_poses(np.full((2, 4, 4), np.nan))
    with pytest.raises(ValueError, match='need as many'):
        snippet_errors(poses[:4], poses[:4])
    with pytest.raises(ValueError, match='alignment'):
        trajectory_rmse(poses, poses, 'rigid')


@pytest.mark.skipif(not DATA, reason='MMSCD_DATA (KITTI odometry 04) is not set')
def test_real_sequence():
    gt = read_poses(Path(DATA) / 'kitti_odometry/poses/04.txt')
    assert gt.shape == (271, 4, 4)
    gt = gt[:51]
    steps = np.linalg.norm(np.diff(gt[:, :3, 3], axis=0), axis=1)
    ahead = accumulate(straight_ahead(50))
    assert 1 < steps.mean() < 2
    assert snippet_errors(ahead, gt) == pytest.approx(naive_snippets(ahead, gt, 5))

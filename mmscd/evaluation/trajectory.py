"""Camera trajectories and their absolute trajectory error (ATE). Pure numpy, float64.

A pose is T_world_camera (4, 4): x_world = T x_camera, so its last column is where the camera is.
Camera axes are x right, y down, z forward, as in KITTI.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def check_poses(poses: np.ndarray, name: str = 'poses') -> np.ndarray:
    """float64 (N, 4, 4), checked to be finite rigid transforms."""
    poses = np.asarray(poses, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise ValueError(f'{name} must have the shape (N, 4, 4), got {poses.shape}')
    bad = ~np.isfinite(poses).all((1, 2))
    if bad.any():
        raise ValueError(f'{name} hold numbers that are not finite (first: number {bad.argmax()})')
    rotation = poses[:, :3, :3]
    error = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    bad = (error > 1e-3) | (np.linalg.det(rotation) <= 0) | (poses[:, 3] != [0, 0, 0, 1]).any(1)
    if bad.any():
        where = f' (first: number {bad.argmax()})'
        raise ValueError(f'{name} are not rigid motions{where}: no rotation in the upper left')
    return poses


def format_kitti_poses(poses: np.ndarray) -> str:
    """Text of a KITTI poses file: a row of 12 numbers, the upper 3x4, per frame."""
    return ''.join(' '.join(f'{x:.9e}' for x in pose[:3].ravel()) + '\n' for pose in poses)


def accumulate(motions: np.ndarray) -> np.ndarray:
    """T_world_camera float64 (N, 4, 4), the world being the first camera, of motions T_next_frame
    (N - 1, 4, 4), x_next = T x_frame: what a pose network gives for the source +1."""
    poses = [np.eye(4)]
    for motion in np.asarray(motions, np.float64):
        poses.append(poses[-1] @ np.linalg.inv(motion))
    return np.stack(poses)


def relative_motions(poses: np.ndarray) -> np.ndarray:
    """T_next_frame (N - 1, 4, 4) of poses T_world_camera (N, 4, 4); undoes `accumulate`."""
    return np.linalg.inv(poses[1:]) @ poses[:-1]


def straight_ahead(count: int, step: float = 1.0) -> np.ndarray:
    """Motions (count, 4, 4) of a camera that moves along its optical axis at constant velocity."""
    motions = np.tile(np.eye(4), (count, 1, 1))
    motions[:, 2, 3] = -step
    return motions


def best_scale(pred: np.ndarray, gt: np.ndarray) -> float:
    """argmin_s ||s pred - gt||^2 = <gt, pred> / <pred, pred>; 1 where nothing moves in `pred`."""
    square = float(np.sum(pred * pred))
    return float(np.sum(gt * pred)) / square if square > 0 else 1.0


def umeyama(
    source: np.ndarray, target: np.ndarray, with_scale: bool = True
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale s, rotation R (3, 3) with det 1 and translation t (3,) with least |target - (s R source
    + t)|^2, of points (N, 3). Where all source points coincide s is 1 and R the identity. S.
    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991."""
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or not len(source):
        raise ValueError(f'expected two arrays (N, 3), N > 0, got {source.shape}, {target.shape}')
    mean_source, mean_target = source.mean(0), target.mean(0)
    centred = source - mean_source
    variance = float(np.mean(np.sum(centred * centred, 1)))
    if variance == 0:
        return 1.0, np.eye(3), mean_target - mean_source
    left, values, right = np.linalg.svd((target - mean_target).T @ centred / len(source))
    signs = np.array([1, 1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * signs @ right
    scale = float(values @ signs) / variance if with_scale else 1.0
    return scale, rotation, mean_target - scale * rotation @ mean_source


def trajectory_rmse(pred: np.ndarray, gt: np.ndarray, alignment: str = 'similarity') -> float:
    """ATE, metres, of a trajectory T_world_camera (N, 4, 4): root mean square distance once
    aligned.

    'similarity' (`umeyama` of the positions) forgives scale, heading and offset; 'scale' (first
    cameras laid onto each other with their orientation, then one scale) forgives nothing else, so
    that errors of heading count in full.
    """
    return float(np.sqrt(np.mean(np.sum(_residuals(pred, gt, alignment) ** 2, 1))))


def align_trajectory(pred: np.ndarray, gt: np.ndarray, alignment: str) -> np.ndarray:
    """Positions (N, 3) of `pred` in the first camera of `gt`; see `trajectory_rmse`."""
    return to_first(gt)[:, :3, 3] + _residuals(pred, gt, alignment)


def to_first(poses: np.ndarray) -> np.ndarray:
    """Poses (N, 4, 4) relative to the first one."""
    return np.linalg.inv(poses[0]) @ poses


def _residuals(pred: np.ndarray, gt: np.ndarray, alignment: str) -> np.ndarray:
    if alignment not in ('similarity', 'scale'):
        raise ValueError(f"alignment must be 'similarity' or 'scale', got {alignment!r}")
    if np.shape(pred) != np.shape(gt) or np.shape(gt)[1:] != (4, 4):
        raise ValueError(f'expected poses (N, 4, 4), got {np.shape(pred)} and {np.shape(gt)}')
    moved, truth = to_first(pred)[:, :3, 3], to_first(gt)[:, :3, 3]
    if alignment == 'scale':
        return best_scale(moved, truth) * moved - truth
    scale, rotation, translation = umeyama(moved, truth)
    return scale * moved @ rotation.T + translation - truth


def snippet_errors(pred: np.ndarray, gt: np.ndarray, length: int = 5) -> np.ndarray:
    """ATE of every snippet of frames, float64 (N - length + 1,), metres; report mean and deviation.

    T. Zhou et al., "Unsupervised learning of depth and ego-motion from video", CVPR 2017, and all
    who compare with it: in the coordinates of the snippet's first camera, one scale per snippet by
    least squares, then sqrt(sum of squared distances) / length. That is the root mean square
    distance divided by sqrt(length): for 5 frames 2.24 times smaller than an RMSE.
    """
    if length < 2 or len(gt) < length:
        raise ValueError(f'snippets of {length} frames (at least 2) need as many, got {len(gt)}')
    errors = []
    for begin in range(len(gt) - length + 1):
        part = slice(begin, begin + length)
        errors.append(np.linalg.norm(_residuals(pred[part], gt[part], 'scale')) / length)
    return np.array(errors)


def judge_trajectory(
    pred: np.ndarray, gt: np.ndarray, lengths: Sequence[int] = (5,)
) -> dict[str, float]:
    """`ate<length>_mean`, `ate<length>_std`, `rmse_similarity`, `rmse_scale` (metres) and `scale`,
    the factor from predicted to true units of the last, of T_world_camera (N, 4, 4)."""
    result = {}
    for length in lengths:
        errors = snippet_errors(pred, gt, length)
        result[f'ate{length}_mean'] = float(errors.mean())
        result[f'ate{length}_std'] = float(errors.std())
    result['rmse_similarity'] = trajectory_rmse(pred, gt, 'similarity')
    result['rmse_scale'] = trajectory_rmse(pred, gt, 'scale')
    result['scale'] = best_scale(to_first(pred)[:, :3, 3], to_first(gt)[:, :3, 3])
    return result

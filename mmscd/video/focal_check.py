"""Does the focal length that somebody gave fit the video? Judged by epipolar geometry.

Two views of a static scene fit a motion the better, the better the intrinsics are. But while a
camera drives straight ahead every focal length explains the views alike (on four straight KITTI
drives the error changes by less than 0.2 % between half and twice the true one); the camera has to
turn. So there are three answers: fits, does not fit, cannot be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.optimize import least_squares

from .triangulation import relative_pose

SCALES = tuple(float(s) for s in np.geomspace(0.5, 2.0, 13))
KERNEL = 0.5  # pixels: larger errors count as outliers
MIN_POINTS = 40
MIN_TURN = 4.0  # degrees; pairs that turn less say nothing
# the error at half or twice the focal length must be larger than the smallest by this factor, else
# the views say nothing; and one that fits worse by it is wrong
MIN_GAIN = 1.06
PairPoints = tuple[np.ndarray, np.ndarray]
Motion = tuple[np.ndarray, np.ndarray]  # rotation (3, 3), direction (3,)


class FocalCheck(NamedTuple):
    """`verdict`: `fits`, `wrong` or `unknown`; `factor`: what the given focal length would have to
    be multiplied by to fit best; `turn`: the largest rotation between two views, degrees, NaN
    where no pair is of use; `errors`: mean robust error per factor of `SCALES`, relative
    to the smallest."""

    verdict: str
    factor: float
    turn: float
    errors: np.ndarray


def check_focal_length(pairs: Sequence[PairPoints], K: np.ndarray) -> FocalCheck:
    """Compare the given intrinsics K (3, 3) of pairs of views with shorter and longer focal
    lengths; each pair has corresponding points (n, 2) and (n, 2), float64 pixels."""
    curves, turns = [], []
    for a, b in pairs:
        if len(a) < MIN_POINTS:
            continue
        if (start := _initial_motion(a, b, K)) is None:
            continue
        turns.append(float(np.degrees(np.linalg.norm(cv2.Rodrigues(start[0])[0]))))
        if turns[-1] >= MIN_TURN:
            curves.append(error_curve(a, b, K, start))
    turn = max(turns, default=np.nan)
    if not curves:
        return FocalCheck('unknown', 1.0, turn, np.ones(len(SCALES)))
    # pairs differ in noise: each counts by its own smallest error; the median forgives the odd one
    errors = np.median([c / c.min() for c in curves], 0)
    best = int(errors.argmin())
    given = float(np.interp(0.0, np.log(SCALES), errors))
    if max(errors[0], errors[-1]) < MIN_GAIN:
        return FocalCheck('unknown', 1.0, turn, errors)
    wrong = given > MIN_GAIN * errors[best] and abs(np.log(SCALES[best])) > np.log(1.15)
    return FocalCheck('wrong' if wrong else 'fits', SCALES[best], turn, errors)


def error_curve(a: np.ndarray, b: np.ndarray, K: np.ndarray, start: Motion) -> np.ndarray:
    """Smallest robust epipolar error of corresponding points (n, 2), pixels squared, when the focal
    lengths of K (3, 3) are multiplied by each of `SCALES`; `start`: the motion to start from."""
    ones = np.ones((len(a), 1))
    points = np.hstack([a, ones]), np.hstack([b, ones])
    errors = []
    for scale in SCALES:
        scaled = K * np.array([[scale, 1, 1], [1, scale, 1], [1, 1, 1]])
        # rotations shrink as focal lengths grow
        rotation = cv2.Rodrigues(cv2.Rodrigues(start[0])[0] / scale)[0]
        ahead = np.array([0.0, 0.0, -1.0])
        starts = (rotation, start[1]), (rotation, ahead), (np.eye(3), ahead)
        errors.append(min(_fit_motion(points, scaled, *s) for s in starts))
    return np.array(errors)


def _initial_motion(a: np.ndarray, b: np.ndarray, K: np.ndarray) -> Motion | None:
    cv2.setRNGSeed(0)  # the same answer for the same points
    _, flat = cv2.findHomography(a, b, cv2.RANSAC, 1.0)
    if flat is None or flat.mean() > 0.9:
        return None  # views of one plane fit several motions
    pose = relative_pose(a, b, K, 1.0)
    return None if pose is None else (pose[0][:3, :3], pose[0][:3, 3])


def _fit_motion(points: PairPoints, K: np.ndarray, R: np.ndarray, t: np.ndarray) -> float:
    """The smallest mean robust (Cauchy) error over rotations and directions near the given ones."""
    inv_K = np.linalg.inv(K)

    def residuals(delta: np.ndarray) -> np.ndarray:
        return _sampson(points, inv_K, *_moved(R, t, delta))

    found = least_squares(residuals, np.zeros(5), loss='cauchy', f_scale=KERNEL, x_scale='jac')
    return 2 * float(found.cost) / len(points[0])


def _sampson(points: PairPoints, inv_K: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """First-order distance of correspondences to the epipolar geometry, pixels."""
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    F = inv_K.T @ cross @ R @ inv_K
    lines_b, lines_a = points[0] @ F.T, points[1] @ F
    squared = (lines_b[:, :2] ** 2).sum(1) + (lines_a[:, :2] ** 2).sum(1)
    return (points[1] * lines_b).sum(1) / np.sqrt(squared + 1e-30)


def _moved(R: np.ndarray, t: np.ndarray, delta: np.ndarray) -> Motion:
    """A rotation vector on top of R, and two steps of t on the unit sphere."""
    other = np.eye(3)[np.abs(t).argmin()]
    u = np.cross(t, other)
    u /= np.linalg.norm(u)
    t = t + delta[3] * u + delta[4] * np.cross(t, u)
    return cv2.Rodrigues(delta[:3])[0] @ R, t / np.linalg.norm(t)

"""Sparse depth of a video without any depth sensor: points seen from three places."""

from __future__ import annotations

import cv2
import numpy as np

from .motion import track_points

MEDIAN_DEPTH = 20.0
_CORNERS = 3000  # looked for in an image, at most
_MIN_PARALLAX = 2.0  # pixels; less tells no depth
_AGREEMENT = 1.1  # up to this factor two depths are one
_MIN_POINTS = 8  # of an essential matrix with some to spare


def relative_pose(
    first: np.ndarray, second: np.ndarray, K: np.ndarray, threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray] | None:
    """How a camera moved between two images, from (n, 2) pixels of the same points of a scene that
    stands still: T_second_first (4, 4) with a translation of length 1, and which points lie within
    `threshold` pixels of its epipolar lines, bool (n,); None where they do not determine it."""
    if len(first) < _MIN_POINTS:
        return None
    cv2.setRNGSeed(0)  # the same answer for the same points
    E, kept = cv2.findEssentialMat(first, second, K, cv2.RANSAC, 0.999, threshold)
    if E is None or E.shape != (3, 3):
        return None
    _, R, t, _ = cv2.recoverPose(E, first, second, K, mask=kept.copy())
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t[:, 0]
    return T, kept[:, 0] > 0


def triangulate(
    first: np.ndarray, second: np.ndarray, K: np.ndarray, T_second_first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of points that two cameras of one K (3, 3) see at (n, 2) pixels.

    Returns depth (n,) in the first camera, in units of the translation, NaN for a point that is not
    in front of both cameras; parallax (n,): pixels between a point's place in the second image and
    the one that it would have there if it were infinitely far."""
    R, t = T_second_first[:3, :3], T_second_first[:3, 3:]
    points = cv2.triangulatePoints(K @ np.eye(3, 4), K @ np.hstack([R, t]), first.T, second.T)
    with np.errstate(divide='ignore', invalid='ignore'):
        points = points[:3] / points[3]
    depth, other = points[2], (R @ points + t)[2]
    in_front = np.isfinite(depth) & (depth > 0) & (other > 0)
    far = K @ R @ np.linalg.inv(K) @ np.vstack([first.T, np.ones(len(first))])
    parallax = np.linalg.norm(second - (far[:2] / far[2]).T, axis=1)
    return np.where(in_front, depth, np.nan), parallax


def _from_pair(
    target: np.ndarray, source: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 2) of the target and their depth (n,) in units of the motion to one source."""
    first, second, _ = track_points(target, source, _CORNERS)
    pose = relative_pose(first, second, K)
    if pose is None:
        return np.zeros((0, 2)), np.zeros(0)
    T_source_target, static = pose
    first, second = first[static], second[static]
    depth, parallax = triangulate(first, second, K, T_source_target)
    kept = np.isfinite(depth) & (parallax > _MIN_PARALLAX)
    return first[kept], depth[kept]


def triangulate_frame(
    target: np.ndarray, sources: tuple[np.ndarray, np.ndarray], K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of corners of an image (H, W) uint8 that the frames before and after it agree on:
    pixels (n, 2) and depth (n,), the geometric mean of both; K (3, 3) is without distortion. The
    scale is not known: the median is `MEDIAN_DEPTH`, metres for those who evaluate with median
    scaling.

    What moves by itself, what was tracked wrongly and what is too far for the motion between the
    frames has another depth with each neighbour, or no parallax, and is left out."""
    (a, depth_a), (b, depth_b) = (_from_pair(target, source, K) for source in sources)
    # the corners are the target's, so a common one has the same coordinates in both
    _, i, j = np.intersect1d(a @ [1, 1j], b @ [1, 1j], return_indices=True)
    if not len(i):
        return np.zeros((0, 2)), np.zeros(0)
    pixels, depth, other = a[i], depth_a[i], depth_b[j]
    other = other * np.median(depth / other)
    agree = np.abs(np.log(depth / other)) < np.log(_AGREEMENT)
    depth = np.sqrt(depth * other)[agree]
    return pixels[agree], depth * (MEDIAN_DEPTH / np.median(depth)) if len(depth) else depth


def draw_depth(pixels: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A depth map of points (n, 2), x and y, float32 (H, W) of `size` (width, height), 0 where
    there is none; where several fall on one pixel the nearest is kept."""
    out = np.zeros(size[::-1], np.float32)
    order = np.argsort(-depth)
    x, y = np.rint(pixels[order]).astype(int).T
    out[y, x] = depth[order]
    return out

"""Metres for depth that is known up to scale.

Camera height. A point of the road at pixel (u, v) with predicted depth z lies at
p = z K^-1 (u, v, 1)^T, and a plane is the set of m . p = 1 for one vector m; its distance to the
camera is 1 / |m|. With the true height H of the camera over the road,

    metres per unit of depth = H |m|.

m is fitted to the lower middle of the image. Its residual m . p - 1 is the relative error of the
depth at that pixel, near or far, so one threshold serves all distances: many planes through three
points each are tried, the one with the least truncated squared residual is refined by least squares
on its inliers. Nothing depends on the unit of the depth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .point_cloud import back_project

_TRIALS = 300
_MAX_POINTS = 4000
_REFINEMENTS = 3
_WAYS = (
    "expected a positive number, dict(type='fixed', factor=...) or "
    "dict(type='camera_height', height=1.65)"
)


@dataclass
class RoadPlane:
    """The road as fitted. `normal`: unit vector, down into the road, in the camera's frame (x
    right, y down, z ahead); `height`: of the camera over it, in the unit of the depth; `inliers`:
    share of the points that lie on it, 0..1."""

    normal: np.ndarray
    height: float
    inliers: float

    @property
    def tilt_deg(self) -> float:
        """Angle between the plane's normal and the image's downward axis, degrees."""
        return float(np.degrees(np.arccos(np.clip(self.normal[1], -1, 1))))


class NoRoadError(ValueError):
    """No plane explains the lower middle of an image."""


def fit_road_plane(
    points: np.ndarray, threshold: float = 0.1, max_tilt_deg: float = 25.0
) -> RoadPlane | None:
    """Fit m . p = 1, see the module, to points (N, 3) in the camera's frame; None where no allowed
    plane has three. `threshold`: relative depth error up to which a point belongs to the plane;
    `max_tilt_deg`: of the plane against the camera's horizontal plane: walls are no roads."""
    if len(points) < 3:
        return None
    points = points[:: -(-len(points) // _MAX_POINTS)]
    size = np.median(np.linalg.norm(points, axis=1))
    if not 0 < size < np.inf:
        return None
    points = points / size  # well conditioned whatever the unit
    rng = np.random.default_rng(0)  # the same image gives the same scale
    triples = points[rng.integers(len(points), size=(_TRIALS, 3))]
    triples = triples[np.abs(np.linalg.det(triples)) > 1e-9]
    # a plane through the camera has no such m; its triples are gone with the determinant
    planes = np.linalg.solve(triples, np.ones((len(triples), 3, 1)))[..., 0]
    planes = planes[_tilt_cosine(planes) > np.cos(np.radians(max_tilt_deg))]
    if len(planes) == 0:
        return None
    cost = np.minimum(np.abs(points @ planes.T - 1), threshold) ** 2
    best = planes[cost.sum(axis=0).argmin()]
    for _ in range(_REFINEMENTS):
        near = np.abs(points @ best - 1) < threshold
        if near.sum() < 3:
            return None
        best = np.linalg.lstsq(points[near], np.ones(near.sum()), rcond=None)[0]
    if _tilt_cosine(best) <= np.cos(np.radians(max_tilt_deg)):
        return None
    inliers = float(np.mean(np.abs(points @ best - 1) < threshold))
    length = np.linalg.norm(best)
    return RoadPlane(best / length, float(size / length), inliers)


def _tilt_cosine(planes: np.ndarray) -> np.ndarray:
    return planes[..., 1] / np.linalg.norm(planes, axis=-1)


@dataclass
class FixedScale:
    """Depth times a factor.

    Attributes:
        factor: metres per unit of depth. 5.4 is for converted stereo weights of Monodepth2 only
            (trained with a baseline of 0.1 for KITTI's 0.54 m); stereo models that mmscd trains are
            metric as they are.
    """

    factor: float
    needs_camera = False

    def __post_init__(self) -> None:
        if isinstance(self.factor, bool) or not 0 < self.factor < float('inf'):
            raise ValueError(f'scale must be a positive number, got {self.factor!r}; {_WAYS}')

    def __call__(self, *_: Any) -> float:
        """The factor, whatever the image."""
        return float(self.factor)


class CameraHeightScale:
    """Metres from the known height of the camera over the road, see the module.

    In a video the scale is the running median over the last frames, and a frame without road takes
    it from those before it.

    Args:
        height: of the camera over the road, metres; 1.65 is KITTI's.
        rows: part of the image's height where the road is looked for, as fractions.
        columns: likewise of its width.
        threshold, max_tilt_deg: see `fit_road_plane`.
        min_inliers: share of the points that must lie on the plane.
        window: frames of a video that the median takes in.

    Raises:
        ValueError: a value makes no sense.
    """

    needs_camera = True

    def __init__(
        self,
        height: float,
        rows: tuple[float, float] = (0.65, 1.0),
        columns: tuple[float, float] = (0.3, 0.7),
        threshold: float = 0.1,
        max_tilt_deg: float = 25.0,
        min_inliers: float = 0.5,
        window: int = 25,
    ) -> None:
        if isinstance(height, bool) or not 0 < height < 100:
            raise ValueError(f'the camera height must be metres between 0 and 100, got {height!r}')
        for name, (low, high) in (('rows', rows), ('columns', columns)):
            if not 0 <= low < high <= 1:
                raise ValueError(f'{name} must be 0 <= low < high <= 1, got {(low, high)}')
        self.height, self.rows, self.columns = float(height), rows, columns
        self.threshold, self.max_tilt_deg = threshold, max_tilt_deg
        self.min_inliers = min_inliers
        self._recent: deque[float] = deque(maxlen=window)
        self._stream: Any = None

    def find_road(self, depth: np.ndarray, K: np.ndarray) -> RoadPlane | None:
        """The road in the lower middle of a depth map (H, W); K (3, 3) in its pixels."""
        height, width = depth.shape
        top, bottom = (int(share * height) for share in self.rows)
        left, right = (int(share * width) for share in self.columns)
        # every few rows and columns are enough, and keep the cost of a large image down
        step = max(1, int(((bottom - top) * (right - left) / _MAX_POINTS) ** 0.5))
        part = (slice(top, bottom, step), slice(left, right, step))
        points = back_project(depth, K, part).reshape(-1, 3)
        return fit_road_plane(points, self.threshold, self.max_tilt_deg)

    def __call__(self, depth: np.ndarray, K: np.ndarray | None, origin: str, stream: Any) -> float:
        """Metres per unit of a depth (H, W); K (3, 3) in its pixels. `origin`: of the image, for
        errors; `stream`: the video that it belongs to, any object, or None. NoRoadError: no road
        was found, nor in the frames before."""
        if stream is None or stream is not self._stream:
            self._recent.clear()
            self._stream = stream
        assert K is not None, 'the inferencer reads no image without camera for this scale'
        road = self.find_road(depth, K)
        if road is not None and road.inliers >= self.min_inliers:
            self._recent.append(self.height / road.height)
        elif not self._recent:
            share = 0 if road is None else road.inliers
            raise NoRoadError(
                f'{origin}: no road found in the lower middle ({share:.0%} of its points lie on a '
                f'plane, {self.min_inliers:.0%} are needed), so the scale is unknown; set rows and '
                'columns to where the road is, or give a fixed scale'
            )
        return float(np.median(self._recent))


def build_scale(scale: Any) -> FixedScale | CameraHeightScale | None:
    """A scale of None, a number, or a dict with `type` 'fixed' or 'camera_height'; a ValueError for
    all else."""
    if scale is None or isinstance(scale, (FixedScale, CameraHeightScale)):
        return scale
    if isinstance(scale, (int, float)):
        return FixedScale(scale)
    if isinstance(scale, Mapping):
        options = dict(scale)
        kinds = dict(fixed=FixedScale, camera_height=CameraHeightScale)
        kind = kinds.get(options.pop('type', None))
        if kind is not None:
            try:
                return kind(**options)
            except TypeError as error:
                raise ValueError(f'scale {dict(scale)!r}: {error}') from None
    raise ValueError(f'unknown scale {scale!r}: {_WAYS}')

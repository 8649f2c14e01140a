"""How the view moves from one frame to another, from tracked points."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

# share of the image width by which noise moves the points of a still camera; the median on KITTI's
# drives (10 frames a second) lies at 0.9 to 1.3 %
STATIC = 0.001
WIDTH = 320
_MIN_CONTRAST = 2.0  # standard deviation of grey values; a blank frame has less
MIN_TRACKED = 0.1  # share of points below which two frames are not of one take


class PairMotion(NamedTuple):
    """From one frame to another. `shift`: median displacement of points, share of the image width;
    `roll`: rotation about the optical axis, degrees; `shear`: how far the last row slides against
    the first, as a rolling shutter makes it do, share of the width; `tracked`: share of points that
    were found again. NaN is what the points do not tell; in a frame without any texture there are
    none at all."""

    shift: float
    roll: float
    shear: float
    tracked: float


def small_grey(image: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """Grey image of that width, (h, w) uint8, from (H, W) or (H, W, 3) uint8 RGB."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if grey.shape[1] <= width:
        return grey
    height = max(1, round(grey.shape[0] * width / grey.shape[1]))
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def track_points(
    first: np.ndarray, second: np.ndarray, count: int = 200, distance: float = 6.0
) -> tuple[np.ndarray, np.ndarray, int]:
    """At most `count` corners of an image (h, w) uint8, `distance` pixels apart, and where they are
    in another, checked by tracking them back: (n, 2) and (n, 2) float64 pixels, and the number of
    corners that were looked for."""
    corners = cv2.goodFeaturesToTrack(first, count, 0.01, distance)
    if corners is None:
        return np.zeros((0, 2)), np.zeros((0, 2)), 0
    start = corners[:, 0]
    found, kept = follow_points(first, second, start, 1.0, (15, 15))
    return start[kept].astype(float), found, len(corners)


def follow_points(
    first: np.ndarray,
    second: np.ndarray,
    points: np.ndarray,
    limit: float,
    window: tuple[int, int] = (21, 21),
) -> tuple[np.ndarray, np.ndarray]:
    """Where points (n, 2) of one image (h, w) uint8 are in another: (m, 2) float64 pixels of those
    found again, and which these are, bool (n,). Tracked back, a point must end nearer than `limit`
    pixels to where it began; `window`: (width, height) that is compared around it."""
    start = points.astype(np.float32)[:, None]
    found, forth, _ = cv2.calcOpticalFlowPyrLK(first, second, start, None, winSize=window)
    again, back, _ = cv2.calcOpticalFlowPyrLK(second, first, found, None, winSize=window)
    kept = (forth[:, 0] == 1) & (back[:, 0] == 1)
    kept &= np.linalg.norm(again - start, axis=2)[:, 0] < limit
    return found[kept, 0].astype(float), kept


def measure_motion(first: np.ndarray, second: np.ndarray) -> PairMotion:
    """Motion between two images of one size, (h, w) uint8, see `small_grey`."""
    a, b, looked_for = track_points(first, second)
    tracked = len(a) / looked_for if looked_for else np.nan
    if len(a) < 8:
        return PairMotion(np.nan, np.nan, np.nan, tracked)
    shift = float(np.median(np.linalg.norm(b - a, axis=1))) / first.shape[1]
    cv2.setRNGSeed(0)  # the same answer for the same images
    model, _ = cv2.estimateAffine2D(a, b, ransacReprojThreshold=1.0)
    if model is None:
        return PairMotion(shift, np.nan, np.nan, tracked)
    # horizontal motion that grows along y is rotation and shear, vertical along x rotation only
    roll = float(np.degrees(np.arctan2(model[1, 0], model[0, 0])))
    shear = float(model[0, 1] + model[1, 0]) * first.shape[0] / first.shape[1]
    return PairMotion(shift, roll, shear, tracked)


class FrameSelector:
    """Decides, frame by frame, which frames of a video a depth network should see.

    A frame is kept once the view has moved by `motion` (share of the image width, median over
    points) since the last kept one: a camera that stands gives nothing, one that crawls few frames,
    one that drives a steady stride. Where too few points are found again, the video was cut: a new
    sequence starts. Blank frames are dropped."""

    def __init__(self, motion: float = 0.006) -> None:
        if not 0 <= motion < 1:
            raise ValueError(f'motion is a share of the image width in [0, 1), got {motion}')
        self.motion = motion
        self.sequence = 0
        self._kept: np.ndarray | None = None
        self._last: np.ndarray | None = None

    def __call__(self, image: np.ndarray) -> int | None:
        """The number of the sequence that the next frame, (H, W, 3) uint8 RGB, belongs to; None: it
        is dropped."""
        grey = small_grey(image)
        if grey.std() < _MIN_CONTRAST:
            return None
        previous, self._last = self._last, grey
        if self._kept is None or previous is None:
            self._kept = grey
            return self.sequence
        # a cut shows between neighbours; points of the last kept frame may just have left the view
        moved = measure_motion(previous, grey)
        if moved.tracked < MIN_TRACKED:
            self.sequence += 1
        else:
            if self._kept is not previous:
                moved = measure_motion(self._kept, grey)
            if moved.shift < self.motion:  # not so where it is NaN: too far to be tracked
                return None
        self._kept = grey
        return self.sequence

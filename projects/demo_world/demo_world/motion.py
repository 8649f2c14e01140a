"""Motion blur: the light of an exposure during which camera and cars go on moving."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import make_pose
from .frames import FrameRenderer
from .light import to_encoded, to_linear


def pose_at(poses: np.ndarray, time: float) -> np.ndarray:
    """The camera's pose (4, 4) between two frames.

    Args:
        poses: Camera-to-world by frame, (n, 4, 4), n > 1.
        time: In frames; before the first or after the last one the motion goes on as it was.
    """
    first = int(np.clip(np.floor(time), 0, len(poses) - 2))
    start, end = poses[first], poses[first + 1]
    turn, _ = cv2.Rodrigues(start[:3, :3].T @ end[:3, :3])
    part, _ = cv2.Rodrigues((time - first) * turn)
    shift = end[:3, 3] - start[:3, 3]
    return make_pose(start[:3, 3] + (time - first) * shift, start[:3, :3] @ part)


def exposure_times(index: int, exposure: float, count: int) -> np.ndarray:
    """Times (count,) in frames, evenly over an exposure whose middle is the frame ``index``."""
    return index + exposure * ((np.arange(count) + 0.5) / count - 0.5)


def draw_motion(renderer: FrameRenderer, index: int, exposure: float, count: int) -> np.ndarray:
    """The mean light of sub-frames, encoded, (H, W, 3).

    Args:
        renderer: Of the street.
        index: Frame whose depth stays true: the middle of the exposure.
        exposure: In frames.
        count: Sub-frames, one sample per pixel each.
    """
    total = np.zeros((renderer.cam.height, renderer.cam.width, 3), np.float64)
    for time in exposure_times(index, exposure, count):
        shot = renderer.shot(time, pose_at(renderer.scene.poses, time), 1)
        total += to_linear(renderer.encoded(shot))
    return to_encoded(total / count)

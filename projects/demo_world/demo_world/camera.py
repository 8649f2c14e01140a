"""Pinhole camera and the smooth, always-moving trajectories of the demo drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CAMERA_HEIGHT = 1.5
STEREO_BASELINE = 0.54
SPEED = 0.85  # metres per frame


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics; pixel centres lie on integer coordinates.

    Attributes:
        width: Image width in pixels.
        height: Image height in pixels.
        fx: Focal length in pixels (square pixels, so it serves both axes).
        cx: Principal point column.
        cy: Principal point row.
    """

    width: int
    height: int
    fx: float
    cx: float
    cy: float

    @classmethod
    def for_size(cls, width: int, height: int) -> Intrinsics:
        """Builds KITTI-like intrinsics (horizontal field of view about 81 degrees).

        Args:
            width: Image width in pixels.
            height: Image height in pixels.
        """
        return cls(width, height, 0.58 * width, (width - 1) / 2, (height - 1) / 2)

    def matrix(self) -> np.ndarray:
        """Returns the 3x3 camera matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fx, self.cy], [0, 0, 1.0]])

    def sample_grid(self, supersample: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns sample columns ``(W*s,)`` and rows ``(H*s,)`` in pixel coordinates."""
        offset = 0.5 / supersample - 0.5
        us = np.arange(self.width * supersample) / supersample + offset
        vs = np.arange(self.height * supersample) / supersample + offset
        return us, vs


def rotation(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Camera-to-world rotation.

    Args:
        yaw: Heading in radians, positive to the right.
        pitch: Radians, positive looks up.
        roll: Radians about the optical axis.

    Returns:
        Matrix of shape (3, 3).
    """
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return turn @ nod @ tilt


def make_pose(position: np.ndarray, rot: np.ndarray) -> np.ndarray:
    """Packs a camera-to-world pose of shape (4, 4) from metres (3,) and a rotation (3, 3)."""
    pose = np.eye(4)
    pose[:3, :3] = rot
    pose[:3, 3] = position
    return pose


def shifted(pose: np.ndarray, right: float) -> np.ndarray:
    """Returns the pose (4, 4) moved ``right`` metres along the camera's x axis."""
    out = pose.copy()
    out[:3, 3] += right * pose[:3, 0]
    return out


def smooth_noise(rng: np.random.Generator, count: int, sigma: float) -> np.ndarray:
    """Unit-variance noise of shape (count,), low-passed over ``sigma`` frames."""
    radius = int(4 * sigma) + 1
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= np.sqrt((taps**2).sum())
    return np.convolve(rng.standard_normal(count + 2 * radius), taps, mode='valid')


def drive_poses(
    rng: np.random.Generator, count: int, centre_line: Callable[[float], float], lane: float
) -> np.ndarray:
    """Drives along a lane with varying speed, a turned mount and small, smooth jitter.

    Args:
        rng: Random generator of the drive.
        count: Number of frames.
        centre_line: Function from z (metres) to the road centre's x (metres).
        lane: Offset of the lane from the centre, metres to the right.

    Returns:
        Camera-to-world poses of shape (count, 4, 4).
    """
    speed = np.clip(SPEED + 0.06 * smooth_noise(rng, count, 6.0), SPEED - 0.2, SPEED + 0.15)
    side = lane + 0.1 * smooth_noise(rng, count, 7.0)
    height = CAMERA_HEIGHT + 0.012 * smooth_noise(rng, count, 2.5)
    # Every street is filmed with another mount: what lies straight ahead hardly moves, and were
    # it always the middle of the image, view synthesis could learn nothing about the middle.
    mount = np.deg2rad(rng.uniform(-10.0, 10.0))
    yaw = mount + np.deg2rad(0.35) * smooth_noise(rng, count, 4.0)
    pitch = np.deg2rad(0.18) * smooth_noise(rng, count, 2.5)
    roll = np.deg2rad(0.15) * smooth_noise(rng, count, 4.0)
    poses, z = [], 0.0
    for i in range(count):
        # The car looks along the chord ahead, which turns smoothly through the bends.
        heading = np.arctan2(centre_line(z + 6.0) - centre_line(z - 4.0), 10.0)
        position = np.array([centre_line(z) + side[i], -height[i], z])
        poses.append(make_pose(position, rotation(heading + yaw[i], pitch[i], roll[i])))
        z += speed[i] * np.cos(heading)
    return np.stack(poses)

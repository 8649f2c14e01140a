"""Frames of video files and cameras."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log

DEFAULT_FPS = 25.0
# containers announce a few frames more than there are
_COMPLETE = 0.98


@dataclass
class Video:
    """An open video file or camera.

    Attributes:
        name: of its outputs.
        origin: path or 'camera 0', for messages.
        fps: frames per second of what is read (after `step`).
        length: frames to come as the container announces them; None: unknown, or a camera.
        live: a camera, which ends when it is told to.
        read: frames handed out so far.
        ended_early: set when the file ended before what it announces.
    """

    name: str
    origin: str
    fps: float
    length: int | None
    live: bool
    step: int = 1
    limit: int | None = None
    read: int = 0
    ended_early: bool = False
    capture: Any = field(default=None, repr=False)


def open_video(source: Path | int, step: int = 1, limit: int | None = None) -> Video:
    """Open a video file or a camera.

    Args:
        source: path, or number of a camera.
        step: only every so many-th frame.
        limit: at most so many frames.

    Raises:
        OSError: it cannot be opened.
    """
    live = isinstance(source, int)
    origin = f'camera {source}' if live else str(source)
    capture = cv2.VideoCapture(source if live else str(source))
    if not capture.isOpened():
        if live:
            raise OSError(
                f'camera {source} cannot be opened: is it plugged in, used by another program, or '
                'not allowed for this user? The first one is 0'
            )
        raise OSError(_undecodable(origin))
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        print_log(f'{origin} has no frame rate: {DEFAULT_FPS:g} per second assumed', 'current')
        fps = DEFAULT_FPS
    announced = 0 if live else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    length = -(-announced // step) if announced > 0 else None
    if limit is not None:
        length = min(length or limit, limit)
    name = f'camera{source}' if live else Path(source).stem
    return Video(name, origin, fps / step, length, live, step, limit, capture=capture)


def read_video(video: Video) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of an open video: (number in the file, uint8 RGB (H, W, 3)).

    A file that ends before what it announces is warned of, with numbers; what was read stays.

    Raises:
        OSError: not one frame can be decoded.
    """
    capture, position = video.capture, 0
    try:
        while (video.limit is None or video.read < video.limit) and capture.grab():
            if position % video.step == 0:
                done, frame = capture.retrieve()
                if not done or frame is None:
                    break
                video.read += 1
                yield position, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            position += 1
    finally:
        capture.release()
    if video.read == 0:
        raise OSError(_undecodable(video.origin))
    if video.length and not video.live and video.read < _COMPLETE * video.length:
        video.ended_early = True
        print_log(
            f'{video.origin} ends early: it announces {video.length * video.step} frames, '
            f'{position} could be decoded; it is truncated or broken from there on',
            'current',
            30,
        )


def count_video_frames(path: Path) -> int:
    """Frames that the index of a video file announces; 0 where it cannot be opened."""
    capture = cv2.VideoCapture(str(path))
    try:
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if capture.isOpened() else 0
    finally:
        capture.release()


def _undecodable(origin: str) -> str:
    return (
        f'video {origin} cannot be decoded: it is truncated, no video, or of a kind that this '
        'build of OpenCV does not read; convert it to H.264 in .mp4, or give a folder of its frames'
    )

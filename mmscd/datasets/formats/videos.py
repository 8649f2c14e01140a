"""Frames of video files and cameras."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log

# of what OpenCV opens: dash cams write .ts, camcorders .mts, older phones .3gp
VIDEO_EXTENSIONS = (
    *('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm', '.mpg', '.mpeg', '.ts', '.mts', '.m2ts'),
    *('.3gp', '.3g2', '.wmv', '.asf', '.flv', '.vob', '.ogv'),
)
_DEFAULT_FPS = 25.0
# containers announce a few frames more than there are
_COMPLETE = 0.98


class Video:
    """An open video file or camera; iterating it once gives (number in the file, frame), the frame
    as uint8 RGB (H, W, 3).

    `source` is a path or the number of a camera; only every `step`-th frame, at most `limit` ones.
    OSError where it cannot be opened, or, while iterating, not one frame can be decoded.

    Attributes:
        name: of its outputs.
        origin: path or 'camera 0', for messages.
        live: a camera, which ends when it is told to.
        announced: frames of the file as its container says, 0 where it does not.
        length: frames to come of those; None: unknown.
        passed: frames of the file that went by so far.
        read: those handed out of them.
        ended_early: set when the file ended before what it announces.
    """

    def __init__(
        self, source: str | os.PathLike | int, step: int = 1, limit: int | None = None
    ) -> None:
        self.live = isinstance(source, int)
        self.origin = f'camera {source}' if isinstance(source, int) else str(source)
        self.name = f'camera{source}' if isinstance(source, int) else Path(source).stem
        self.step, self.limit = step, limit
        self.passed = self.read = 0
        self.ended_early = False
        if not isinstance(source, int) and not is_video(source):
            # OpenCV also opens text, as pictures of it
            kinds = ', '.join(VIDEO_EXTENSIONS)
            raise OSError(f'there is no video {self.origin}: expected a file that ends in {kinds}')
        if isinstance(source, int) and source < 0:  # OpenCV crashes
            raise self._unreadable()
        # absolute: FFmpeg takes what stands before a colon for a protocol
        file = source if isinstance(source, int) else str(Path(source).absolute())
        self._capture = cv2.VideoCapture(file)
        if not self._capture.isOpened():
            raise self._unreadable()
        self._fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = 0 if self.live else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.announced = max(0, count)
        self.length = -(-self.announced // step) or None
        if limit is not None:
            self.length = min(self.length or limit, limit)

    @property
    def fps(self) -> float:
        """Frames per second of what is read (after `step`)."""
        if not (math.isfinite(self._fps) and 0 < self._fps <= 1000):
            text = f'{self.origin} has no frame rate: {_DEFAULT_FPS:g} per second assumed'
            print_log(text, 'current')
            self._fps = _DEFAULT_FPS
        return self._fps / self.step

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        wide, high = (self._capture.get(p) for p in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        if wide > 0 and high > 0 and wide != high:
            text = f'{self.origin} has pixels of {wide:g}:{high:g}, which players stretch, we not'
            mend = 'for a camera by its angle first let ffmpeg -vf scale=iw*sar:ih,setsar=1 do it'
            print_log(f'{text}; {mend}', 'current', logging.WARNING)
        try:
            while (self.limit is None or self.read < self.limit) and self._capture.grab():
                if self.passed % self.step == 0:
                    done, frame = self._capture.retrieve()
                    if not done or frame is None:
                        break
                    self.read += 1
                    yield self.passed, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                self.passed += 1
        finally:
            self._capture.release()
        if self.read == 0:
            raise self._unreadable()
        if self.announced and self.read < _COMPLETE * (self.length or 0):
            self.ended_early = True
            found = f'it announces {self.announced} frames, {self.passed} could be decoded'
            text = f'{self.origin} ends early: {found}; it is truncated or broken from there on'
            print_log(text, 'current', logging.WARNING)

    def _unreadable(self) -> OSError:
        if self.live:
            return OSError(
                f'{self.origin} cannot be opened: is it plugged in, used by another program, or '
                'not allowed for this user? The first one is 0'
            )
        return OSError(
            f'video {self.origin} cannot be decoded: it is broken, no video, or of a kind that '
            'this build of OpenCV does not read; convert it to H.264 in .mp4, or give its frames'
        )


def is_video(path: str | os.PathLike) -> bool:
    """Whether it is a file that is named like a video."""
    return Path(path).suffix.lower() in VIDEO_EXTENSIONS and Path(path).is_file()


def count_video_frames(path: str | os.PathLike) -> int:
    """Frames that the index of a video file announces; 0 where it cannot be opened."""
    try:
        return Video(path).announced
    except OSError:
        return 0

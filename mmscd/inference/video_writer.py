"""Videos that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.videos import count_video_frames

# what is still needed to close a file: the encoder's buffer and the index of frames
_RESERVE = 1 << 20
_INDEX_BYTES = 64


class DiskFullError(OSError):
    """No space left for an output."""


class VideoWriter:
    """Writes an .mp4 under a temporary name and renames it when it is closed.

    OpenCV's writer tells nothing when the disk is full. So free space is watched while there is
    still enough of it to close the file, and the finished file is opened and its frames counted."""

    def __init__(self, path: str | os.PathLike, fps: float) -> None:
        self.path, self.fps = Path(path).absolute(), fps
        self.written = 0
        # hidden, beside the target: a rename does not cross file systems
        self._temporary = self.path.with_name(f'.{self.path.stem}.{os.getpid()}.mp4')
        self._size = (0, 0)
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 RGB (H, W, 3); of another size than the first one it is resized.
        DiskFullError: too little space, but what was written can still be closed; OSError: the
        encoder does not start."""
        self._check_space()
        height, width = frame.shape[:2]
        # the encoder drops a last odd row or column
        writer = self._writer or self._open((width + width % 2, height + height % 2))
        right, below = self._size[0] - width, self._size[1] - height
        if right in (0, 1) and below in (0, 1):
            frame = np.pad(frame, ((0, below), (0, right), (0, 0)), mode='edge')
        else:
            frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
        self.written += 1

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        # the one codec that every build of OpenCV can write
        codec = cv2.VideoWriter.fourcc(*'mp4v')
        self._size = size
        self._writer = cv2.VideoWriter(str(self._temporary), codec, self.fps, size)
        if not self._writer.isOpened():
            self.discard()
            raise OSError(
                f'cannot write {self.path}: this build of OpenCV has no encoder for mp4v at '
                f'{size[0]}x{size[1]}; save pictures of the frames instead'
            )
        return self._writer

    def _check_space(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.path.parent).free
        if free < _RESERVE + _INDEX_BYTES * self.written:
            raise DiskFullError(
                f'cannot go on writing {self.path}: no space left in {self.path.parent} '
                f'({free / 1024:.0f} KiB); free some, or choose another out_dir'
            )

    def close(self, path: str | os.PathLike | None = None) -> Path | None:
        """Finish the file and give it its name, or `path` for a video that was stopped; None where
        no frame was written. OSError: the file is not whole; it is removed."""
        if self._writer is None:
            return None
        self._release()
        target = Path(path or self.path)
        found = count_video_frames(self._temporary)
        if found != self.written:
            self.discard()
            raise OSError(
                f'{target}: {self.written} frames were encoded, the file has {found}; is the disk '
                'full?'
            )
        os.replace(self._temporary, target)
        return target

    def discard(self) -> None:
        """Leave nothing behind."""
        self._release()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _release(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None

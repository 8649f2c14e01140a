"""What `DepthInferencer` writes: every file is either whole or not there."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import MMLogger, print_log

from mmscd.datasets.formats.videos import VIDEO_EXTENSIONS, Video
from mmscd.evaluation.metrics.kitti_submission import encode_depth
from mmscd.utils.files import atomic_write, check_writable

from .inputs import Frame
from .pictures import DepthPainter
from .point_cloud import NO_CAMERA, encode_ply, make_point_cloud
from .video_writer import VideoWriter

# kind -> suffix of its files, each kind in a folder of its name
KINDS = dict(color='.png', beside='.png', kitti_png='.png', npy='.npy', ply='.ply', video='.mp4')
_MAX_VIDEO_PANEL = 960


class OutputWriter:
    """Writes the outputs of one run; a context manager.

    The files lie in `out_dir/KIND/NAME.SUFFIX`, NAME being the one of the input, so that a folder
    `kitti_png` has the names that the benchmark wants. Kinds:

    - `color`: colour map with a scale bar, .png;
    - `beside`: image and colour map in one, .png;
    - `kitti_png`: uint16 .png, depth x 256, as KITTI stores depth; 0 means none and is not used;
    - `npy`: float32 (H, W) depth;
    - `ply`: coloured point cloud;
    - `video`: as `beside`, .mp4, one file per video; left out for inputs that are no videos, which
      are refused where nothing else is to be written.

    `panel_width`: pixels of each half of `beside` and `video`; None: as the input, in videos 960 at
    most. OSError: `out_dir`, which is made if need be, cannot be written to.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike,
        kinds: Sequence[str],
        painter: DepthPainter,
        layout: str = 'auto',
        panel_width: int | None = None,
        ply_options: dict[str, Any] | None = None,
    ) -> None:
        self.out_dir, self.kinds, self.painter = Path(out_dir).expanduser(), kinds, painter
        self.layout, self.panel_width = layout, panel_width
        self.ply_options = ply_options or {}
        self.written = 0
        self._video: Video | None = None
        self._movie: VideoWriter | None = None
        check_writable(self.out_dir)

    def write(self, frame: Frame, depth: np.ndarray) -> dict[str, str]:
        """Write the outputs of one image of a depth (H, W), `ply` with the K of the frame; returns
        paths by kind. OSError: a file cannot be written; it is not there then, and those before it
        are whole. ValueError: there is nothing to write."""
        if frame.video is None and set(self.kinds) == {'video'}:
            raise ValueError(
                f"{frame.origin} is no video: 'video' alone would write nothing for it; save "
                f"'beside' or 'color', or give a file that ends in {', '.join(VIDEO_EXTENSIONS)}"
            )
        if frame.video is not self._video:
            self.finish_video()
            self._video = frame.video
            self.painter.reset()
        files = {}
        limits = self.painter.inverse_limits(depth, frame.video is not None)
        for kind in self.kinds:
            if kind != 'video':
                path = self.out_dir / kind / f'{frame.name}{KINDS[kind]}'
                self._write(path, self._encode(kind, frame, depth, limits))
            elif frame.video is not None:
                path = self.out_dir / 'video' / f'{frame.video.name}.mp4'
                self._movie = self._movie or VideoWriter(path, frame.video.fps)
                width = self.panel_width or min(frame.image.shape[1], _MAX_VIDEO_PANEL)
                self._movie.write(self._beside(frame, depth, width, limits))
            else:
                continue
            files[kind] = str(path)
        return files

    def _encode(
        self, kind: str, frame: Frame, depth: np.ndarray, limits: tuple[float, float]
    ) -> bytes:
        if kind == 'kitti_png':
            return encode_depth(depth)
        if kind == 'npy':
            stream = io.BytesIO()
            np.save(stream, depth)
            return stream.getvalue()
        if kind == 'ply':
            assert frame.K is not None, '`check_kinds` asks for a camera'
            return encode_ply(*make_point_cloud(depth, frame.image, frame.K, **self.ply_options))
        if kind == 'color':
            picture = self.painter.paint(depth, limits)
        else:
            picture = self._beside(frame, depth, self.panel_width, limits)
        return cv2.imencode('.png', np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()

    def _beside(
        self, frame: Frame, depth: np.ndarray, width: int | None, limits: tuple[float, float]
    ) -> np.ndarray:
        title = Path(frame.name).name
        return self.painter.paint_beside(frame.image, depth, title, width, self.layout, limits)

    def _write(self, target: Path, data: bytes) -> None:
        try:
            atomic_write(target, data)
        except OSError as error:
            raise OSError(f'{error}; {self.written} files of this run are whole') from None
        self.written += 1

    def finish_video(self, stopped: bool = False) -> None:
        """Close the video at hand, if there is one. One that was `stopped` becomes a file that says
        so in its name."""
        if self._movie is None:
            return
        movie, self._movie = self._movie, None
        target = movie.path
        if stopped and self._video is not None and not self._video.live:
            target = target.with_name(f'{target.stem}_first_{movie.written}_frames.mp4')
        if movie.close(target) is not None:
            self.written += 1
            print_log(f'{target}: {movie.written} frames', 'current')

    def __enter__(self) -> OutputWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            self.finish_video()
            return
        try:
            self.finish_video(stopped=True)
        except OSError as second:  # the first error is the one to tell
            print_log(str(second), 'current', 40)
        if issubclass(kind, KeyboardInterrupt):
            told = f'stopped; {self.written} finished files in {self.out_dir} are whole'
            print_log(told, 'current')


def check_kinds(kinds: str | Sequence[str], camera: bool, metric: bool) -> tuple[str, ...]:
    """What to save, as a tuple without repetitions; warns where values are easily misread.
    ValueError: an unknown kind, or a point cloud without camera."""
    kinds = (kinds,) if isinstance(kinds, str) else tuple(dict.fromkeys(kinds))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f'cannot save {unknown}: expected some of {list(KINDS)}')
    if 'ply' in kinds and not camera:
        raise ValueError(f'a point cloud {NO_CAMERA}')
    if 'kitti_png' in kinds and not metric:
        MMLogger.get_current_instance().warning(
            'the depth is up to scale: kitti_png will not hold metres x 256; give a scale'
        )
    return kinds

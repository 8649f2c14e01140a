"""Videos of one camera to training data: the frames that teach something, and their camera."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmscd.datasets.formats.images import IMAGE_EXTENSIONS, read_image, write_rgb
from mmscd.datasets.formats.videos import Video
from mmscd.utils.files import list_files, refuse_twins, write_json
from mmscd.utils.progress import track
from mmscd.utils.schema import read_json

from .calibration_import import Calibration
from .frame_camera import FrameCamera
from .motion import STATIC, FrameSelector
from .training_config import write_config, write_intrinsics


@dataclass(frozen=True)
class VideoConverter:
    """Makes a data set of videos of one camera: `frames/VIDEO/part_000/0000000012.jpg`,
    `intrinsics.yaml` and a config in `out`. A video that was finished before is left alone; one
    that was interrupted starts anew.

    `calibrate`: the camera of a video of a (width, height); `motion`: a frame is kept once the view
    has moved by so many percent of the width; `stride`: every n-th frame instead, but none while
    the camera stands; `crop`: (left, top, right, bottom) of the undistorted video, pixels;
    `max_width`: wider frames are shrunk; `quality`: of the JPEGs, 1..100."""

    out: Path
    calibrate: Callable[[tuple[int, int]], Calibration]
    motion: float = 0.6
    stride: int | None = None
    crop: Sequence[int] | None = None
    max_width: int = 1280
    quality: int = 95

    def __post_init__(self) -> None:
        if not 0 <= self.motion < 100 or (self.stride is not None and self.stride < 1):
            raise ValueError('--motion must lie in [0, 100), --stride must be at least 1')
        if self.max_width < 32 or not 1 <= self.quality <= 100:
            raise ValueError('--max-width must be at least 32, --quality lie in 1..100')

    def __call__(self, videos: Sequence[Path]) -> Path:
        """Convert videos, or folders of frames; returns the config. FileExistsError: frames of the
        same name were made otherwise; OSError: there is no such video, or it cannot be decoded;
        ValueError: the camera does not fit, the videos differ, or there are too few frames."""
        cameras = [self._convert(video) for video in videos]
        K, size = cameras[0].K, cameras[0].size
        for video, camera in zip(videos, cameras, strict=True):
            if camera.size != size or not np.allclose(camera.K, K):
                got = f'{video} gives frames of {camera.size}, {videos[0]} of {size}'
                raise ValueError(f'{got}: one --out per camera and size')
        write_intrinsics(self.out / 'intrinsics.yaml', K, size)
        return write_config(self.out, size)

    def _convert(self, video: Path) -> FrameCamera:
        """Extract one video unless that was done before; returns the camera of its frames."""
        _, first = next(iter(_open(video)))
        calibration = self.calibrate((first.shape[1], first.shape[0]))
        camera = FrameCamera(calibration, self.crop, self.max_width)
        name = video.resolve().stem if video.is_file() else video.resolve().name
        folder, manifest = self.out / 'frames' / name, self.out / f'{name}.json'
        recipe = dict(
            video=str(video.resolve()), motion=self.motion, stride=self.stride, crop=self.crop,
            K=np.round(camera.K, 6).tolist(), size=list(camera.size), quality=self.quality,
        )  # fmt: skip
        if manifest.is_file() and folder.is_dir():
            mend = f'delete {folder} and {manifest}'
            known = read_json(manifest, mend, dict(recipe=dict, kept=int))
            if known['recipe'] != recipe:
                raise FileExistsError(
                    f'{folder} was made with other options or from another video: choose another '
                    f'--out, or {mend}'
                )
            print_log(f'{video}: already complete ({known["kept"]} frames)', 'current')
            return camera
        # hidden, so that no data set takes what an interrupted run has left
        unfinished = folder.with_name(f'.{name}')
        for rest in (folder, unfinished):
            shutil.rmtree(rest, ignore_errors=True)
        summary = self._write_frames(video, unfinished, camera)
        unfinished.rename(folder)
        write_json(manifest, dict(summary, recipe=recipe))
        told = '{kept} of {read} frames in {sequences} sequence(s)'.format_map(summary)
        print_log(f'{video}: kept {told}, {camera.size[0]}x{camera.size[1]}', 'current')
        return camera

    def _write_frames(self, video: Path, folder: Path, camera: FrameCamera) -> dict[str, int]:
        """Write the chosen frames; returns how many were read and kept, and the sequences."""
        frames = _open(video, self.stride or 1)
        folder.mkdir(parents=True)
        selector = FrameSelector(STATIC if self.stride else self.motion / 100)
        kept, parts = 0, set()
        shape = None
        for number, image in track(frames, frames.length, 'frames'):
            shape = shape or image.shape
            if image.shape != shape:
                sizes = f'{image.shape[1]}x{image.shape[0]}, those before {shape[1]}x{shape[0]}'
                raise ValueError(f'{video}: frame {number} is {sizes}; one folder per camera')
            part = selector(image)
            if part is None:
                continue
            path = folder / f'part_{part:03d}' / f'{number:010d}.jpg'
            write_rgb(path, camera.picture(image, video), self.quality)
            kept += 1
            parts.add(part)
        return dict(read=frames.passed, kept=kept, sequences=len(parts))


class _Folder:
    """The frames of a folder in natural order, as `Video` gives those of a video."""

    def __init__(self, path: Path, step: int) -> None:
        found = list_files(path, IMAGE_EXTENSIONS)
        if not found:
            raise OSError(f'{path} has no frames ({", ".join(IMAGE_EXTENSIONS)})')
        refuse_twins(found)
        self.passed = len(found)
        self.files = list(enumerate(found))[::step]
        self.length = len(self.files)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for number, file in self.files:
            yield number, read_image(file)


def _open(path: Path, step: int = 1) -> Video | _Folder:
    if path.is_dir():
        return _Folder(path, step)
    if not path.is_file():
        raise FileNotFoundError(f'there is no video {path}')
    return Video(path, step)

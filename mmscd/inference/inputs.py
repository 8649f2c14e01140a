"""What `DepthInferencer` takes, as one stream of frames that never lies in memory as a whole."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmscd.datasets.formats.images import read_image
from mmscd.datasets.formats.videos import VIDEO_EXTENSIONS, Video, count_video_frames, is_video
from mmscd.utils.files import list_files, natural_key, refuse_twins

from .images import IMAGE_SUFFIXES, as_rgb

_KINDS = (
    'give the path of an image, video or folder, a pattern like "folder/*.png", the number of a '
    'camera, an array (uint8 RGB), or a list or generator of these'
)


@dataclass(eq=False)
class Frame:
    """One image, uint8 RGB (H, W, 3), to predict for. `name`: of its outputs, without suffix, may
    hold folders, unique in a stream; `origin`: for messages; `index`: in its video, or in the
    stream; `K`: (3, 3), pixels of the image."""

    image: np.ndarray
    name: str
    origin: str
    video: Video | None = None
    index: int = 0
    K: np.ndarray | None = None


@dataclass
class FrameReader:
    """Reads inputs (see `DepthInferencer.__call__`) one after the other. `on_error`: 'raise', or
    'skip' what cannot be read and list it in `failures`; `frame_step`, `max_frames`: of each video
    and camera; `camera`: gives the K for a shape."""

    inputs: Any
    on_error: str = 'raise'
    frame_step: int = 1
    max_frames: int | None = None
    camera: Callable[[tuple[int, int]], np.ndarray] | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {self.on_error!r}")
        if self.frame_step < 1 or (self.max_frames is not None and self.max_frames < 1):
            got = f'{self.frame_step} and {self.max_frames}'
            raise ValueError(f'frame_step and max_frames must be at least 1, got {got}')
        self._used: set[str] = set()
        self._count = 0

    def __iter__(self) -> Iterator[Frame]:
        yield from self._read(self.inputs)

    def fail(self, origin: str, error: Exception) -> None:
        """An input is unusable: skip it and say so, or raise the error."""
        if self.on_error == 'raise':
            raise error
        self.failures.append((origin, str(error)))
        MMLogger.get_current_instance().warning(f'skipped: {error}')

    def _read(self, item: Any) -> Iterator[Frame]:
        try:
            if isinstance(item, (str, os.PathLike)):
                for file, name in find_files(str(item)):
                    yield from self._read_file(file, name)
            elif isinstance(item, (int, np.integer)) and not isinstance(item, bool):
                yield from self._read_video(int(item))
            elif _is_image(item):
                name = f'array {self._count}'
                yield self._frame(as_rgb(item, name), f'{self._count:06d}', name)
            elif isinstance(item, Iterable) and not isinstance(item, (dict, bytes, set)):
                for part in item:
                    yield from self._read(part)
            else:
                raise TypeError(f'inputs of type {type(item).__name__} are not known; {_KINDS}')
        except (OSError, ValueError, TypeError) as error:
            what = str(item) if isinstance(item, (str, os.PathLike)) else f'input {self._count}'
            self.fail(what, error)

    def _read_file(self, file: Path, name: str) -> Iterator[Frame]:
        """A file, maybe out of many: with on_error='skip' the others are still read."""
        try:
            if is_video(file):
                yield from self._read_video(file, name)
            else:
                yield self._frame(read_image(file), name, str(file))
        except (OSError, ValueError, TypeError) as error:
            self.fail(str(file), error)

    def _read_video(self, source: Path | int, name: str | None = None) -> Iterator[Frame]:
        video = Video(source, self.frame_step, self.max_frames)
        video.name = self._unique(name or video.name)
        for index, image in video:
            origin = f'frame {index} of {video.origin}'
            yield self._frame(image, f'{video.name}/{index:06d}', origin, video, index)

    def _frame(
        self, image: np.ndarray, name: str, origin: str, video: Video | None = None, index: int = -1
    ) -> Frame:
        K = None
        if self.camera is not None:
            try:
                K = self.camera(image.shape)
            except ValueError as error:
                raise ValueError(f'{origin}: {error}') from None
        self._count += 1
        if video is None:  # the names of a video's frames lie in a folder of the video's own
            name, index = self._unique(name), self._count - 1
        return Frame(image, name, origin, video, index, K)

    def _unique(self, name: str) -> str:
        """No output overwrites another one of the same run."""
        number, candidate = 1, name
        while candidate in self._used:
            number += 1
            candidate = f'{name}_{number}'
        self._used.add(candidate)
        return candidate


def _is_image(item: Any) -> bool:
    """Whether it is one image (or a broken one), not a collection of them."""
    if isinstance(item, np.ndarray):
        # a stack of images is a collection
        return not (item.ndim == 4 and item.shape[-1] in (1, 3, 4))
    return hasattr(item, 'detach') or (hasattr(item, 'convert') and hasattr(item, 'mode'))


def find_files(text: str) -> list[tuple[Path, str]]:
    """The files that a path or pattern means, sorted, each with the name of its outputs.
    FileNotFoundError: there is none, and what there is; ValueError: an address, or a folder with
    two images of one name."""
    path = Path(text).expanduser()
    if path.is_file():
        return [(path, path.stem)]
    if path.is_dir():
        images = _list_images(path)
        refuse_twins(images)
        return [(file, file.stem) for file in images]
    if '://' in text:
        raise ValueError(f'{text}: addresses are not fetched; download it and give the file')
    if not glob.has_magic(text):
        raise FileNotFoundError(f'there is no file or folder {text}; {_KINDS}')
    folder = next((p for p in path.parents if p.is_dir()), Path())  # may have brackets in its name
    pattern = os.path.join(glob.escape(str(folder)), path.relative_to(folder))
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    known = (*IMAGE_SUFFIXES, *VIDEO_EXTENSIONS)
    files = [p for p in found if p.is_file() and p.suffix.lower() in known]
    files.sort(key=natural_key)
    if not files:
        others = f'{len(found)} other files and folders do'
        raise FileNotFoundError(f'no image or video matches {path} ({others})')
    # folders tell files of one name apart
    common = os.path.commonpath([file.parent for file in files])
    return [(file, str(file.relative_to(common).with_suffix(''))) for file in files]


def _list_images(folder: Path) -> list[Path]:
    if files := list_files(folder, IMAGE_SUFFIXES):
        return files
    if below := list_files(folder, IMAGE_SUFFIXES, below=True):
        hint = f'there are some further down: give the pattern "{folder}/**/*{below[0].suffix}"'
    else:
        hint = f'expected files with {", ".join(IMAGE_SUFFIXES)}'
        if list_files(folder, VIDEO_EXTENSIONS):
            hint += '; give videos by their path, or by a pattern'
    raise FileNotFoundError(f'there is no image in the folder {folder}; {hint}')


def make_batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Lists of at most `size` frames; those of a camera do not wait for one another. Where reading
    fails, what was read before is handed on first."""
    batch: list[Frame] = []
    try:
        for frame in frames:
            batch.append(frame)
            if len(batch) == size or (frame.video is not None and frame.video.live):
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def count_images(inputs: Any) -> int | None:
    """How many images inputs have, where that is known beforehand; None with videos, cameras,
    generators and patterns."""
    if _is_image(inputs):
        return 1
    if isinstance(inputs, np.ndarray):
        return len(inputs)
    if isinstance(inputs, (list, tuple)):
        counts: list[Any] = [count_images(item) for item in inputs]
        return None if None in counts else sum(counts)
    if isinstance(inputs, (str, os.PathLike)):
        path = Path(inputs).expanduser()
        if path.is_dir():
            return len(list_files(path, IMAGE_SUFFIXES))
        if path.is_file() and not is_video(path):
            return 1
    return None


def count_frames(inputs: Any, step: int = 1, limit: int | None = None) -> int | None:
    """As `count_images`, with the frames that a video file announces; for progress only."""
    if isinstance(inputs, (str, os.PathLike)) and is_video(path := Path(inputs).expanduser()):
        count = -(-count_video_frames(path) // step)
        return min(count, limit or count) or None
    return count_images(inputs)

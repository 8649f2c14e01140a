"""Frames of a video file, extracted once.

Training reads frames in random order from many workers; seeking in a compressed video costs far
more than reading one image file.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from pathlib import Path

from mmengine.logging import print_log

from mmscd.utils.files import write_json

from .images import write_rgb
from .videos import Video

_MANIFEST, _QUALITY = 'manifest.json', 95


def extract_frames(
    video: str | os.PathLike,
    cache_dir: str | os.PathLike | None = None,
    stride: int = 1,
    image_format: str = 'jpg',
) -> Path:
    """The folder with `0000000000.jpg`, ... (numbered without gaps) of every `stride`-th frame of a
    video, which are written unless that was done before. OSError where it cannot be decoded.

    The frames are written into a temporary folder, the manifest last, and the folder is renamed:
    what is there is whole. Several processes may do this at once; the first one wins. The folder
    lies in `cache_dir`, or in `<stem>_frames` beside the video. `image_format` is `jpg` or `png`
    (lossless, about five times larger).
    """
    if image_format not in ('jpg', 'png'):
        raise ValueError(f"image_format must be 'jpg' or 'png', got {image_format!r}")
    video = Path(video).expanduser()
    status = video.stat()
    identity: dict = dict(video=video.name, bytes=status.st_size, modified=status.st_mtime_ns)
    identity.update(stride=stride, format=image_format, quality=_QUALITY)
    key = zlib.crc32(json.dumps([str(video.resolve()), identity]).encode())
    parent = Path(cache_dir).expanduser() if cache_dir else video.parent / f'{video.stem}_frames'
    folder = parent / f'{video.stem}_{key:08x}'
    if (folder / _MANIFEST).is_file():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f'.{video.stem}_'))
    try:
        count = _decode(video, temporary, stride, image_format)
        write_json(temporary / _MANIFEST, dict(identity, frames=count))
        temporary.chmod(0o755)
        _move(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _move(temporary: Path, folder: Path) -> None:
    """Rename, unless another process was first; a folder without manifest is a broken rest."""
    if folder.exists() and not (folder / _MANIFEST).is_file():
        shutil.rmtree(folder)
    try:
        os.rename(temporary, folder)
    except OSError:
        if not (folder / _MANIFEST).is_file():
            raise


def _decode(video: Path, folder: Path, stride: int, image_format: str) -> int:
    """Write the frames and return how many."""
    frames = Video(video, stride)
    print_log(
        f'extracting frames of {video} (about {frames.announced}) to {folder.parent}', 'current'
    )
    for number, (_, frame) in enumerate(frames):
        write_rgb(folder / f'{number:010d}.{image_format}', frame, _QUALITY)
    return frames.read

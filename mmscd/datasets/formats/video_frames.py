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

import cv2
from mmengine.logging import MMLogger

VIDEO_EXTENSIONS = ('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm', '.mpg', '.mpeg')
_MANIFEST = 'manifest.json'


def extract_frames(
    video: str | os.PathLike,
    cache_dir: str | os.PathLike | None = None,
    stride: int = 1,
    image_format: str = 'jpg',
    quality: int = 95,
) -> Path:
    """Write every `stride`-th frame of a video as an image, unless that was done before.

    The frames are written into a temporary folder, the manifest last, and the folder is renamed:
    what is there is whole. Several processes may do this at once; the first one wins.

    Args:
        video: the file.
        cache_dir: folder for the extracted frames; None: `<stem>_frames` beside the video.
        stride: 1 keeps all frames.
        image_format: `jpg` or `png` (lossless, about five times larger).
        quality: of the JPEGs, 0..100.

    Returns:
        the folder with `0000000000.jpg`, ... (numbered without gaps).

    Raises:
        OSError: the video cannot be opened or has no frames.
    """
    if image_format not in ('jpg', 'png'):
        raise ValueError(f"image_format must be 'jpg' or 'png', got {image_format!r}")
    video = Path(video).expanduser()
    status = video.stat()
    identity = dict(
        video=video.name,
        bytes=status.st_size,
        modified=status.st_mtime_ns,
        stride=stride,
        format=image_format,
        quality=quality,
    )
    key = zlib.crc32(json.dumps([str(video.resolve()), identity]).encode())
    parent = Path(cache_dir).expanduser() if cache_dir else video.parent / f'{video.stem}_frames'
    folder = parent / f'{video.stem}_{key:08x}'
    if (folder / _MANIFEST).is_file():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f'.{video.stem}_'))
    try:
        count = _decode(video, temporary, stride, image_format, quality)
        manifest = json.dumps(dict(identity, frames=count), indent=1)
        (temporary / _MANIFEST).write_text(manifest, encoding='utf-8')
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


def _decode(video: Path, folder: Path, stride: int, image_format: str, quality: int) -> int:
    """Write the frames and return how many."""
    logger = MMLogger.get_current_instance()
    capture = cv2.VideoCapture(str(video))
    announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    if announced > 0:
        logger.info(f'extracting frames of {video} (about {announced}) into {folder.parent}')
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if image_format == 'jpg' else []
    position = written = 0
    try:
        while capture.grab():
            if position % stride == 0:
                done, frame = capture.retrieve()
                if not done:
                    break
                path = folder / f'{written:010d}.{image_format}'
                if not cv2.imwrite(str(path), frame, options):
                    raise OSError(f'cannot write {path}; is the disk full?')
                written += 1
            position += 1
    finally:
        capture.release()
    if written == 0:
        raise OSError(
            f'video {video} cannot be decoded: it is broken or of a kind that this build of OpenCV '
            'does not read; extract its frames into a folder and use that as data_root'
        )
    if position < 0.98 * announced:
        logger.warning(
            f'{video} announces {announced} frames, {position} could be decoded: is it truncated?'
        )
    return written

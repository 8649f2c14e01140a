"""A training cache of KITTI raw: the same tree, at the size that the network takes.

Why a tree of small JPEGs beside frames that are packed as they are (`datasets/prepared.py`): it
takes a part of their room and can take the place of the original on another machine, as every data
set option works on it unchanged (its calibration files are scaled along).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmscd.datasets.formats.arrays import finite_array
from mmscd.datasets.formats.images import read_image
from mmscd.datasets.formats.kitti_calibration import projection_matrix, read_calibration_file
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.datasets.transforms import ResizeFrames
from mmscd.geometry import scale_intrinsics
from mmscd.utils.files import atomic_write
from mmscd.utils.processes import spread
from mmscd.utils.progress import track
from mmscd.utils.schema import keep_settings
from mmscd.utils.text import read_text

SETTINGS = 'cache.json'
_KEYS = re.compile(r'(?:S_rect|P_rect)_(\d\d):')


@dataclass(frozen=True)
class CacheSettings:
    """How images are stored: (width, height) pixels, `png`, or `jpg` of a quality of 1 to 100."""

    size: tuple[int, int]
    format: str = 'jpg'
    quality: int = 95


def build_cache(
    paths: Sequence[Path], data_root: Path, out: Path, settings: CacheSettings, workers: int = 1
) -> int:
    """Write what is missing of a cache under `out`, and return the number of images. `paths` are
    images under `data_root`, the original tree; see `list_frames`. OSError where one is broken or
    `out` cannot be written to, ValueError where `out` holds another cache or lies in the
    original."""
    _check_settings(out, data_root, settings)
    for date in sorted({path.relative_to(data_root).parts[0] for path in paths}):
        text = _scale_calibration(data_root / date / 'calib_cam_to_cam.txt', settings.size)
        atomic_write(out / date / 'calib_cam_to_cam.txt', text.encode())
        for name in ('calib_velo_to_cam.txt', 'calib_imu_to_velo.txt'):
            if (data_root / date / name).is_file():
                atomic_write(out / date / name, (data_root / date / name).read_bytes())
    jobs = []
    for path in paths:
        target = (out / path.relative_to(data_root)).with_suffix(f'.{settings.format}')
        if not (target.is_file() and target.stat().st_size):
            jobs.append((path, target))
    convert = partial(_convert, settings=settings)
    for _ in track(spread(convert, jobs, workers, partial(cv2.setNumThreads, 0), 16), len(jobs)):
        pass
    return len(jobs)


def list_frames(
    data_root: Path,
    splits: Sequence[Path],
    frame_ids: Sequence[int | str],
    drives: Sequence[str] | None,
) -> list[Path]:
    """The frames of splits with their neighbours, or all frames of drives. What is missing of
    samples is left out with the warning of `KITTIRawDataset`, whose errors are raised."""
    options: dict[str, Any] = dict(gt=None, drives=drives, missing='drop')
    if splits:
        sets = [KITTIRawDataset(str(data_root), str(s), frame_ids, **options) for s in splits]
    else:
        sets = [KITTIRawDataset(str(data_root), None, (0,), **options)]
    infos = (data.get_data_info(i) for data in sets for i in range(len(data)))
    return [Path(path) for path in dict.fromkeys(p for info in infos for p in info['frame_paths'])]


def _check_settings(out: Path, data_root: Path, settings: CacheSettings) -> None:
    """A folder holds one cache: ValueError where sizes would mix, or the source be written into."""
    source, target = data_root.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise ValueError(f'--out {out} and --data-root {data_root} must not hold one another')
    # JSON has no tuples
    keep_settings(out, SETTINGS, dict(asdict(settings), size=list(settings.size)))


def _scale_calibration(path: Path, size: tuple[int, int]) -> str:
    """Text of the original `calib_cam_to_cam.txt` for images resized to (width, height): S_rect and
    P_rect of all cameras."""
    values = read_calibration_file(path)
    lines = []
    for line in read_text(path).splitlines():
        match = _KEYS.match(line)
        if match:
            key, camera = line.split(':')[0], match.group(1)
            new = np.array(size, float)
            if key[0] == 'P':
                old = finite_array(values.get(f'S_rect_{camera}'), (2,), f'{path}: S_rect_{camera}')
                new = scale_intrinsics(projection_matrix(values, key, path), *(new / old)).ravel()
            line = f'{key}: ' + ' '.join(f'{number:.15e}' for number in new)
        lines.append(line)
    return '\n'.join(lines) + '\n'


def _convert(job: tuple[Path, Path], settings: CacheSettings) -> None:
    """Resize one image as the training pipeline does."""
    path, target = job
    image = read_image(path)
    image = ResizeFrames(settings.size)(dict(frames=[image], K=np.eye(3)))['frames'][0]
    options: list[int] = []
    if settings.format == 'jpg':
        # colours at full resolution: the image is small already
        options = [cv2.IMWRITE_JPEG_QUALITY, settings.quality]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    stored = cv2.imencode(target.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1]
    atomic_write(target, stored.tobytes(), sync=False)

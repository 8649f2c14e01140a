"""A training cache of KITTI raw: the same tree, at the size that the network takes.

Why a tree of small JPEGs and not one packed file of raw pixels: it halves the disk space instead of
doubling it, every data set option works on it unchanged (its calibration files are scaled along),
and decoding is no longer what takes time. `measure` says what it brings here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from kitti_archives import Progress, write_renamed

from mmscd.datasets.formats.images import decode_rgb, read_bytes
from mmscd.datasets.formats.kitti_calibration import read_calibration_file
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.datasets.transforms import LoadFrames, ResizeFrames

SETTINGS = 'cache.json'
_KEYS = re.compile(r'(?:S_rect|P_rect)_(\d\d):')


def list_frames(
    data_root: Path,
    splits: Sequence[Path],
    frame_ids: Sequence[int | str],
    drives: Sequence[str] | None,
) -> list[Path]:
    """The frames of splits with their neighbours, or all frames of drives.

    Raises:
        OSError, ValueError: of `KITTIRawDataset`; nothing is left out in silence.
    """
    options = dict(gt=None, drives=drives, missing='drop')
    if splits:
        sets = [KITTIRawDataset(str(data_root), str(s), frame_ids, **options) for s in splits]
    else:
        sets = [KITTIRawDataset(str(data_root), None, (0,), **options)]
    paths = (
        p for data in sets for i in range(len(data)) for p in data.get_data_info(i)['frame_paths']
    )
    return [Path(path) for path in dict.fromkeys(paths)]


def check_settings(out: Path, data_root: Path, settings: dict) -> None:
    """A folder holds one cache: refuse to mix sizes, or to write into the source.

    Raises:
        ValueError: says why.
    """
    source, target = data_root.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise ValueError(f'--out {out} and --data-root {data_root} must not hold one another')
    path = out / SETTINGS
    if path.is_file():
        found = json.loads(path.read_text(encoding='utf-8'))
        if found != settings:
            raise ValueError(f'{out} was begun with {found}, now asked for: {settings}')
    write_renamed(path, (json.dumps(settings, indent=1) + '\n').encode())


def scale_calibration(path: Path, size: tuple[int, int]) -> str:
    """Text of `calib_cam_to_cam.txt` for resized images: S_rect and P_rect of all cameras.

    Pixel centres are whole numbers and a resize is half-pixel, so P becomes M P with
    M = [[s_x, 0, s_x / 2 - 1/2], [0, s_y, s_y / 2 - 1/2], [0, 0, 1]].

    Args:
        path: of the original file.
        size: (width, height) of the resized images.
    """
    values = read_calibration_file(path)
    lines = []
    for line in path.read_text(encoding='utf-8').splitlines():
        match = _KEYS.match(line)
        if match:
            key, camera = line.split(':')[0], match.group(1)
            sx, sy = np.array(size) / values[f'S_rect_{camera}']
            M = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
            new = np.array(size) if key[0] == 'S' else (M @ values[key].reshape(3, 4)).ravel()
            line = f'{key}: ' + ' '.join(f'{number:.15e}' for number in new)
        lines.append(line)
    return '\n'.join(lines) + '\n'


def write_calibrations(data_root: Path, out: Path, paths: Iterable[Path], size) -> None:
    """Scaled `calib_cam_to_cam.txt` and copies of the other calibration files of every date."""
    for date in sorted({path.relative_to(data_root).parts[0] for path in paths}):
        text = scale_calibration(data_root / date / 'calib_cam_to_cam.txt', size)
        write_renamed(out / date / 'calib_cam_to_cam.txt', text.encode())
        for name in ('calib_velo_to_cam.txt', 'calib_imu_to_velo.txt'):
            if (data_root / date / name).is_file():
                write_renamed(out / date / name, (data_root / date / name).read_bytes())


def convert(
    path: Path, data_root: Path, out: Path, size: tuple[int, int], form: str, quality: int
) -> bool:
    """Resize one image as the training pipeline does; False where it is there already."""
    target = (out / path.relative_to(data_root)).with_suffix(f'.{form}')
    if target.is_file() and target.stat().st_size:
        return False
    image = decode_rgb(read_bytes(path), path)[0]
    image = ResizeFrames(size)(dict(frames=[image], K=np.eye(3)))['frames'][0]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = []
    if form == 'jpg':
        # colours at full resolution: the image is small already
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    write_renamed(target, cv2.imencode(target.suffix, bgr, options)[1].tobytes())
    return True


def build(
    paths: Sequence[Path],
    data_root: Path,
    out: Path,
    size: tuple[int, int],
    form: str,
    quality: int,
    workers: int,
) -> int:
    """Write what is missing of the cache; returns the number of images written."""
    job = partial(convert, data_root=data_root, out=out, size=size, form=form, quality=quality)
    progress, written = Progress(len(paths), 'images'), 0
    if workers < 2:
        results = map(job, paths)
        for made in results:
            written += made
            progress.step(1, skipped=not made)
        return written
    with ProcessPoolExecutor(workers, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
        for made in pool.map(job, paths, chunksize=16):
            written += made
            progress.step(1, skipped=not made)
    return written


def measure(
    paths: Sequence[Path], data_root: Path, out: Path, size: tuple[int, int], form: str
) -> dict[str, float]:
    """What the cache brings: milliseconds of processor time per frame, one process, best of three.

    Args:
        paths: originals; up to 60 of them, evenly spread, are loaded.
        data_root, out, size, form: as of the cache.

    Returns:
        `full` (full decode and resize), `reduced` (`LoadFrames(reduce=size)`, which decodes JPEGs
        at a fraction of their size where that covers the network's), `cached`, and `kb_original`
        and `kb_cached` per frame.
    """
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, 60).astype(int))]
    small = [(out / p.relative_to(data_root)).with_suffix(f'.{form}') for p in chosen]
    resize = ResizeFrames(size)

    def cost(files: Sequence[Path], load: LoadFrames) -> float:
        rounds = []
        for _ in range(3):
            begin = time.process_time()
            for file in files:
                resize(load(dict(frame_paths=[str(file)], K_ori=np.eye(3))))
            rounds.append((time.process_time() - begin) / len(files))
        return 1e3 * min(rounds)

    return dict(
        full=cost(chosen, LoadFrames()),
        reduced=cost(chosen, LoadFrames(reduce=size)),
        cached=cost(small, LoadFrames(reduce=size)),
        kb_original=float(np.mean([file.stat().st_size for file in chosen])) / 1e3,
        kb_cached=float(np.mean([file.stat().st_size for file in small])) / 1e3,
    )

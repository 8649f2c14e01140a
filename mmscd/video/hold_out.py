"""Hold frames out of training and give them sparse depth, for choosing without LiDAR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.formats.images import read_image
from mmscd.utils.files import atomic_write
from mmscd.utils.progress import track

from .triangulation import draw_depth, triangulate_frame

MIN_POINTS = 50
MAX_DEPTH = 250.0  # what 16 bits of 1/256 m can hold


def hold_out(
    data_root: Path, out: Path, train: Sequence[str], drive: str, frames: int, gap: int, check: bool
) -> str:
    """Hold out the last `frames` frames of `drive`, and the `gap` before them: write split files,
    triangulated depth and `options.txt` to `out`. Returns what was done, in a sentence or two;
    `check`: compared with LiDAR. OSError, ValueError: data are missing, or too few."""
    if frames < 1 or gap < 1:
        raise ValueError(f'--frames and --gap must be at least 1, got {frames} and {gap}')
    out = out.resolve()
    options = options_of(out, drive)
    dataset = KITTIRawDataset(
        str(data_root),
        drives=[*dict.fromkeys([*train, drive])],
        sides=('l',),
        frame_ids=(0, -1, 1),
        gt='velodyne' if check else None,
        with_gt=check,
        missing='drop',
    )
    kept_for_training, held_out = split(dataset, train, drive, frames, gap)
    kept, points, errors = write_depth(dataset, held_out, out, check)
    for name, infos in (('train_files', kept_for_training), ('val_files', kept)):
        lines = (f'{info["date"]}/{info["drive"]} {info["frame"]:010d} l\n' for info in infos)
        atomic_write(out / f'{name}.txt', ''.join(lines).encode())
    atomic_write(out / 'options.txt', '\n'.join([*options, '']).encode())
    text = (
        f'{len(kept_for_training)} frames to train on, {len(kept)} of {len(held_out)} held-out '
        f'frames with {np.median(points):.0f} points in the median: {out}'
    )
    if check:
        told = '\nagainst LiDAR: {:.0f} points a frame, abs_rel {:.4f}, median {:.4f}'
        text += told.format(*np.nanmean(errors, axis=0))
    return text


def split(
    dataset: KITTIRawDataset, train: Sequence[str], drive: str, frames: int, gap: int
) -> tuple[list[dict], list[dict]]:
    """Samples of the drives `train` to train on, and the last ones of `drive`. ValueError: nothing
    of it would be left."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    own = [info for info in infos if info['drive'] == drive]
    rest = [info for info in infos if info['drive'] != drive]
    if drive not in train:
        return rest, own[-frames:]
    if len(own) <= frames + gap:
        raise ValueError(
            f'{drive} has {len(own)} frames with both neighbours, too few to hold {frames} out '
            f'with --gap {gap}; lower --frames'
        )
    return rest + own[: -frames - gap], own[-frames:]


def write_depth(
    dataset: KITTIRawDataset, held_out: list[dict], out: Path, check: bool
) -> tuple[list[dict], list[int], list[tuple[int, float, float]]]:
    """Triangulate and write; the samples that have enough points, how many, and `compare`'s."""
    kept, points, errors = [], [], []
    for info in track(held_out, len(held_out), 'frames'):
        images = [read_image(path) for path in info['frame_paths']]
        grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
        pixels, along = triangulate_frame(grey[0], (grey[1], grey[2]), info['K_ori'])
        depth = draw_depth(pixels, along, grey[0].shape[::-1])
        count = int((depth > 0).sum())
        if count < MIN_POINTS:
            continue
        kept.append(info)
        points.append(count)
        folder = out / info['drive'] / 'proj_depth' / 'groundtruth' / 'image_02'
        stored = np.where(depth < MAX_DEPTH, np.rint(depth * 256), 0).astype(np.uint16)
        png = cv2.imencode('.png', stored)[1].tobytes()
        atomic_write(folder / f'{info["frame"]:010d}.png', png)
        if check:
            errors.append(compare(depth, info['gt_depth']))
    if not kept:
        raise ValueError(
            f'none of the {len(held_out)} held-out frames has {MIN_POINTS} points: the camera '
            'stands still, or the intrinsics are not those of these images'
        )
    return kept, points, errors


def compare(depth: np.ndarray, truth: np.ndarray) -> tuple[int, float, float]:
    """Points with LiDAR within 2 pixels; mean and median relative error there."""
    rows, columns = np.nonzero(depth)
    corners = zip((rows - 2).clip(0), (columns - 2).clip(0), strict=True)
    nearest = np.array([_known(truth[y : y + 5, x : x + 5]) for y, x in corners])
    known = np.isfinite(nearest)
    if not known.any():
        return 0, np.nan, np.nan
    ratio = depth[rows, columns][known] / nearest[known]
    error = np.abs(ratio / np.median(ratio) - 1)
    return int(known.sum()), float(error.mean()), float(np.median(error))


def _known(window: np.ndarray) -> float:
    """Depth of a window that lies on one surface, NaN of another."""
    found = window[window > 0]
    return float(np.median(found)) if found.size and found.max() < 1.1 * found.min() else np.nan


def options_of(out: Path, drive: str) -> list[str]:
    """Overrides of a config that trains and is judged on the two parts. ValueError: the shell,
    which gets them by `$(cat options.txt)`, would split them, or the tools read a list."""
    if not re.fullmatch(r'[^\s*?\[\](),\'"\\]+', f'{out}{drive}'):
        raise ValueError(
            f'{str(out)!r}, {drive!r}: blanks, commas, quotes, brackets, *, ? and backslashes '
            'cannot stand in options.txt, which the shell splits; choose another folder'
        )
    options = [f'train_dataloader.dataset.ann_file={out}/train_files.txt']
    judged = (
        f'ann_file={out}/val_files.txt',
        f'drives=[{drive}]',
        'gt=improved',
        f'improved_gt_root={out}',
    )
    for part in ('val', 'test'):
        options += [f'{part}_dataloader.dataset.{option}' for option in judged]
    return options

"""The mean depth map of the training streets: what a street looks like before one looks."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mmscd.datasets.formats.images import read_depth_png
from mmscd.utils.files import atomic_write
from mmscd.utils.text import read_text

MEAN_DEPTH = 'mean_depth.npy'
FAR_LIMIT = 80.0
_CAMERAS = {'l': 'image_02', 'r': 'image_03'}


def training_depth_files(root: Path) -> list[Path]:
    """Depth files of the frames listed in `splits/train_files.txt`, in its order."""
    listed = root / 'splits' / 'train_files.txt'
    files = []
    for number, line in enumerate(read_text(listed).rstrip().splitlines(), 1):
        parts = line.split()
        if len(parts) != 3 or not parts[1].isdecimal() or parts[2] not in _CAMERAS:
            raise ValueError(f"{listed}:{number}: expected 'folder frame l', got {line!r}")
        folder = root / parts[0] / 'proj_depth' / 'groundtruth' / _CAMERAS[parts[2]]
        files.append(folder / f'{int(parts[1]):010d}.png')
    if not files:
        raise ValueError(f'{listed} lists no frame')
    return files


def mean_of_files(files: list[Path]) -> np.ndarray:
    """Mean depth per pixel over the frames that have a depth there.

    Args:
        files: uint16 PNG in 1/256 m, 0 where there is none (sky), all of one size.

    Returns:
        float64 (H, W) metres, 0 where no frame has depth. Depths count as at most `FAR_LIMIT`.

    Raises:
        OSError: a file is missing or unreadable.
        ValueError: sizes differ, or a file holds no depth.
    """
    total = count = None
    for file in files:
        depth = read_depth_png(file)
        if total is None:
            total, count = np.zeros(depth.shape), np.zeros(depth.shape, np.int64)
        if depth.shape != total.shape:
            raise ValueError(f'{file} has shape {depth.shape}, the files before {total.shape}')
        total += np.minimum(depth, FAR_LIMIT)
        count += depth > 0
    return np.where(count > 0, total / np.maximum(count, 1), 0.0)


def fill_holes(depth: np.ndarray) -> np.ndarray:
    """Give pixels without depth that of the nearest row which has one in their column.

    Args:
        depth: (H, W) metres, 0 where there is none.

    Returns:
        Same shape. Between two rows equally near the lower one counts; a column without any
        depth gets `FAR_LIMIT`.
    """
    filled = depth.copy()
    rows = np.arange(depth.shape[0])
    for column in np.flatnonzero((depth <= 0).any(axis=0)):
        known = rows[depth[:, column] > 0]
        if known.size == 0:
            filled[:, column] = FAR_LIMIT
            continue
        # lower rows first: argmin keeps the first of equals
        known = known[::-1]
        nearest = known[np.abs(rows[:, None] - known).argmin(axis=1)]
        filled[:, column] = depth[nearest, column]
    return filled


def write_mean_depth(root: Path, out: Path | None = None) -> np.ndarray:
    """Compute the map of a set and write it whole or not at all.

    Args:
        root: Folder of the set.
        out: File; None means `mean_depth.npy` in the set.

    Returns:
        What was written: float32 (H, W), metres, positive, at most `FAR_LIMIT`.
    """
    depth = fill_holes(mean_of_files(training_depth_files(root))).astype(np.float32)
    stream = io.BytesIO()
    np.save(stream, depth, allow_pickle=False)
    atomic_write(root / MEAN_DEPTH if out is None else out, stream.getvalue())
    return depth

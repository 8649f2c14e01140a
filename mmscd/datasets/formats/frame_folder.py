"""Frames of one size in a folder, raw: mapped into memory, and read without decoding.

`frames.bin` holds them one after the other, (3, H, W) uint8; `index.json` names them in that order
and says what was done with them. It is written last: without it there are none.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmscd.utils.files import check_writable, write_json
from mmscd.utils.schema import read_json

INDEX, FRAMES, LOCK = 'index.json', 'frames.bin', '.lock'
# height and width as stored and as decoded: frames of a sample have these in common
Kind = tuple[int, ...]
Prepared = tuple[np.ndarray, Kind]  # a frame (3, H, W) uint8, and its kind


def open_frames(
    folder: Path, recipe: str, names: Sequence[str], prepared: Iterable[Prepared]
) -> tuple[Tensor, list[int], list[Kind]]:
    """All frames (N, 3, H, W) uint8 of a folder, not to be written to; the rows of `names`; the
    kinds of all.

    Where there are none yet, `prepared` gives them, in the order of `names`; of several processes
    one writes, and the others wait. ValueError, in one sentence: the folder holds other frames, of
    another `recipe`, damaged ones or other things; OSError: it cannot be written to.
    """
    if not (folder / INDEX).is_file():
        _check_folder(folder)
        with _alone(folder / LOCK):
            if not (folder / INDEX).is_file():
                print_log(f'{len(names)} frames go to {folder}, once', 'current')
                _write(folder, recipe, names, prepared)
    mend = f'remove {folder}, and it is made anew, or name another folder in `packed`'
    expected = dict(pipeline=str, shape=[int, int, int], frames={str: [int, int, int, int]})
    index = read_json(folder / INDEX, mend, expected)
    if index['pipeline'] != recipe:
        told = f'{folder} holds frames of {index["pipeline"]}, the pipeline asks for {recipe}'
        raise ValueError(f'{told}; {mend}')
    rows = {name: row for row, name in enumerate(index['frames'])}
    if absent := [name for name in names if name not in rows]:
        told = f'lacks {len(absent)} of {len(names)} frames of this data set (first: {absent[0]})'
        raise ValueError(f'{folder} {told}; {mend}')
    file, shape = folder / FRAMES, (len(rows), *index['shape'])
    size = file.stat().st_size if file.is_file() else 0
    if size != math.prod(shape) or min(shape) < 1:
        told = f'has {size} bytes, {folder / INDEX} tells of frames of {shape}'
        raise ValueError(f'{file} {told}; {mend}')
    with warnings.catch_warnings():  # it may not be written to, nor is it
        warnings.simplefilter('ignore', UserWarning)
        frames = torch.from_numpy(np.memmap(file, np.uint8, 'r', shape=shape))
    return frames, [rows[name] for name in names], [tuple(k) for k in index['frames'].values()]


def _check_folder(folder: Path) -> None:
    """Make it, where it is not there; it must not hold anything else."""
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    strangers = {p.name for p in folder.iterdir() if p.name[0] != '.'} - {FRAMES, INDEX}
    if strangers:
        told = f'{folder} has no {INDEX}, but {min(strangers)}: it holds no packed frames'
        raise ValueError(f'{told}; name a new folder in `packed`')


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """A context in which no other process writes the same; a dead one holds it no longer."""
    with lock.open('a') as stream:
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _write(folder: Path, recipe: str, names: Sequence[str], prepared: Iterable[Prepared]) -> None:
    part = folder / f'.{FRAMES}.part'
    shape: list[int] = []
    kinds: list[list[int]] = []
    try:
        with part.open('wb') as stream:
            for frame, kind in prepared:
                if not kinds:
                    _check_room(folder, len(names) * frame.nbytes)
                _put(stream, frame)
                shape = list(frame.shape)
                kinds.append(list(kind))
            os.fsync(stream.fileno())
        os.replace(part, folder / FRAMES)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    frames = dict(zip(names, kinds, strict=True))
    write_json(folder / INDEX, dict(pipeline=recipe, shape=shape, frames=frames))


def _check_room(folder: Path, needed: int) -> None:
    if needed > (free := shutil.disk_usage(folder).free):
        text = f'{folder}: the frames take {needed} bytes, {free} are free'
        raise OSError(f'{text}; make room, or name another folder in `packed`')


def _put(stream: IO[bytes], frame: np.ndarray) -> None:
    try:
        stream.write(frame.tobytes())
    except OSError as error:
        mend = 'make room, or name another folder in `packed`'
        raise OSError(f'cannot write {stream.name}: {error.strerror}; {mend}') from error

"""Frames that are prepared once: read, resized, and kept in a file that is mapped into memory, or
on the device that trains.

The samples, their order and their random draws stay those of the data set, and so do all values.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import default_collate

from mmscd.structures import DepthDataSample
from mmscd.utils.files import check_writable, write_json
from mmscd.utils.progress import track
from mmscd.utils.schema import read_json

from .samplers import SampleIndex, draw_key
from .transforms import PackDepthInputs

INDEX, FRAMES, LOCK = 'index.json', 'frames.bin', '.lock'
_THREADS = min(32, os.cpu_count() or 1)
_AT_ONCE = 256  # frames that are read ahead of what becomes of them
# height and width as stored and as decoded: frames of a sample have these in common
Kind = tuple[int, ...]
# rows of its frames, its camera's part of the inputs, its data sample
Entry = tuple[list[int], dict[str, Tensor], DepthDataSample]


class PreparedFrames:
    """The frames of a training set, `frames` uint8 (N, 3, H, W), and batches of its samples.

    Args:
        dataset: a `BaseDepthDataset`, without ground truth, whose pipeline does the same with every
            frame at any time (see `per_frame` of the transforms) and ends with `PackDepthInputs`.
        folder: where the frames lie, or will; None: nowhere.
        on_device: keep them in memory, on the GPU where there is one.

    Raises:
        ValueError: the pipeline does more; the folder is of other frames, sizes or steps, is
            damaged, or is none of ours; the frames do not fit into the free memory.
        OSError: a frame cannot be read, or the folder not be written to.
    """

    def __init__(self, dataset: Any, folder: str | None, on_device: bool) -> None:
        self.dataset, self.on_device = dataset, on_device
        steps = _check_pipeline(dataset)
        infos = (BaseDataset.get_data_info(dataset, i) for i in range(len(dataset)))
        paths = list(dict.fromkeys(path for info in infos for path in info['frame_paths']))
        device = torch.device('cuda' if on_device and torch.cuda.is_available() else 'cpu')
        if folder is None:
            self.frames, kinds = _load(paths, steps, device)
            rows = list(range(len(paths)))
        else:
            self.frames, rows, kinds = _open(Path(folder).expanduser(), dataset, paths, steps)
            if device.type == 'cuda':
                _check_memory(self.frames.numel(), device)
                self.frames = self.frames.to(device)
        self._rows = dict(zip(paths, rows, strict=True))
        self._kinds: Sequence[Kind] = kinds
        self._cameras: dict[tuple, dict[str, Any]] = {}
        self._entries: dict[int, Entry] = {}
        self.batch([0])

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """What `default_collate` makes of these samples. ValueError where the frames of a sample
        differ in size, or where its image is another one than when the frames were prepared (the
        first sample of each camera is looked at)."""
        entries = [self._entry(index) for index in indices]
        frames = default_collate([self.frames[row] for rows, *_ in entries for row in rows])
        inputs = default_collate([camera for _, camera, _ in entries])
        inputs['draw_key'] = torch.tensor([draw_key(index) for index in indices])
        inputs = {k: v.to(frames.device, non_blocking=True) for k, v in inputs.items()}
        inputs['frames'] = frames.unflatten(0, (len(entries), -1))
        return dict(inputs=inputs, data_samples=[sample for *_, sample in entries])

    def sample(self, index: int) -> dict[str, Any]:
        """What the pipeline makes of a sample."""
        batch = self.batch([index])
        inputs = {key: value[0] for key, value in batch['inputs'].items()}
        return dict(inputs=inputs, data_samples=batch['data_samples'][0])

    def _entry(self, index: int) -> Entry:
        known = self._entries.get(int(index))
        if known is not None:
            return known
        info = self.dataset.get_data_info(SampleIndex(index, 0))
        rows = [self._rows[path] for path in info['frame_paths']]
        for path, row in zip(info['frame_paths'], rows, strict=True):
            if self._kinds[row] != self._kinds[rows[0]]:
                raise ValueError(
                    f'frames of a sample must have one size and kind: {path} has '
                    f'{self._kinds[row]}, {info["img_path"]} has {self._kinds[rows[0]]} (height, '
                    'width as stored and as decoded)'
                )
        camera = self._camera(info, rows)
        meta = {k: v if k in _OF_CAMERA else info.get(k, v) for k, v in camera['meta'].items()}
        entry = rows, camera['inputs'], DepthDataSample(metainfo=meta)
        if self.on_device:  # in one process; the workers of a data loader would each keep all
            self._entries[int(index)] = entry
        return entry

    def _camera(self, info: dict, rows: list[int]) -> dict[str, Any]:
        """What samples of one camera have in common, by the pipeline itself."""
        matrices = [info[key].tobytes() for key in ('K_ori', 'T_stereo') if key in info]
        key = self._kinds[rows[0]], info.get('camera_size'), *matrices
        if key not in self._cameras:
            usual = self.dataset.pipeline(dict(info))
            inputs, path = usual['inputs'], info['img_path']
            kept = torch.stack([self.frames[row] for row in rows]).cpu()
            if not torch.equal(inputs.pop('frames'), kept):
                mend = 'remove the folder that `packed` names, and it is made anew'
                raise ValueError(f'{path} is not the image that was packed: {mend}')
            del inputs['draw_key']
            self._cameras[key] = dict(inputs=inputs, meta=dict(usual['data_samples'].metainfo))
        return self._cameras[key]


_OF_CAMERA = ('ori_shape', 'img_shape', 'K_ori')


def _check_pipeline(dataset: Any) -> list[Any]:
    """The transforms that make a frame."""
    *steps, last = dataset.pipeline.transforms or [None]
    told = 'packed and on_device keep frames that are prepared once'
    if dataset.with_gt:
        raise ValueError(f'{told}, for training: leave both out where with_gt=True')
    for step in steps:
        if not getattr(step, 'per_frame', False):
            name = type(step).__name__
            mend = 'leave both out, or take it out of the pipeline'
            raise ValueError(f'{told}, but {name} may change each of them every time: {mend}')
    if not steps or not isinstance(last, PackDepthInputs):
        raise ValueError(f'{told}, by a pipeline from LoadFrames to PackDepthInputs: correct it')
    return steps


def _prepare(path: str, steps: Sequence[Any]) -> tuple[np.ndarray, Kind]:
    """A frame (3, H, W) uint8, and its kind."""
    results: dict[str, Any] = dict(frame_paths=[path], img_path=path, K_ori=np.eye(3))
    kind: Kind | None = None
    for step in steps:
        results = step(results)
        kind = kind or (*results['ori_shape'], *results['img_shape'])
    assert kind is not None
    return np.ascontiguousarray(results['frames'][0].transpose(2, 0, 1)), kind


def _prepare_all(
    paths: Sequence[str], steps: Sequence[Any], kinds: list[Kind]
) -> Iterator[np.ndarray]:
    """All frames in order, by threads; their kinds go to `kinds`."""
    prepare, first = partial(_prepare, steps=steps), None
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            for path, (frame, kind) in zip(some, pool.map(prepare, some), strict=True):
                first = frame.shape if first is None else first
                if frame.shape != first:
                    raise ValueError(
                        f'{path} comes out as {frame.shape}, {paths[0]} as {first}: frames that '
                        'are prepared once must have one size, which ResizeFrames gives'
                    )
                kinds.append(kind)
                yield frame


def _load(
    paths: Sequence[str], steps: Sequence[Any], device: torch.device
) -> tuple[Tensor, list[Kind]]:
    kinds: list[Kind] = []
    frames = torch.empty(0)
    for row, frame in enumerate(track(_prepare_all(paths, steps, kinds), len(paths), 'frames')):
        if row == 0:
            _check_memory(len(paths) * frame.nbytes, device)
            frames = torch.empty((len(paths), *frame.shape), dtype=torch.uint8, device=device)
        frames[row] = torch.from_numpy(frame)
    return frames, kinds


def _check_memory(needed: int, device: torch.device) -> None:
    if device.type == 'cuda':
        free = torch.cuda.mem_get_info(device)[0]
    else:
        found = re.search(r'MemAvailable:\s+(\d+)', Path('/proc/meminfo').read_text())
        free = 1024 * int(found[1]) if found else needed
    if needed > free:
        raise ValueError(
            f'on_device needs {needed / 1e9:.1f} GB for the frames, {free / 1e9:.1f} GB of the '
            f'{device.type} are free: set packed to a folder instead, which workers read from'
        )


def _open(
    folder: Path, dataset: Any, paths: Sequence[str], steps: Sequence[Any]
) -> tuple[Tensor, list[int], list[Kind]]:
    """The frames of a folder, which are written where there are none yet; the rows of `paths`; all
    kinds."""
    names = [os.path.relpath(path, dataset.data_root) for path in paths]
    recipe = ', '.join(f'{type(step).__name__}({vars(step)})' for step in steps)
    if not (folder / INDEX).is_file():
        _check_folder(folder)
        with _alone(folder / LOCK):
            if not (folder / INDEX).is_file():
                _write(folder, recipe, dict(zip(names, paths, strict=True)), steps)
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


def _write(folder: Path, recipe: str, paths: dict[str, str], steps: Sequence[Any]) -> None:
    """Frames first, then the index, which says that they are whole."""
    print_log(f'{len(paths)} frames go to {folder}, once', 'current')
    kinds: list[Kind] = []
    part, shape = folder / f'.{FRAMES}.part', ()
    prepared = _prepare_all(list(paths.values()), steps, kinds)
    try:
        with part.open('wb') as stream:
            for frame in track(prepared, len(paths), 'frames'):
                if not shape:
                    _check_room(folder, len(paths) * frame.nbytes)
                shape = frame.shape
                _put(stream, frame)
            os.fsync(stream.fileno())
        os.replace(part, folder / FRAMES)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    frames = {name: list(kind) for name, kind in zip(paths, kinds, strict=True)}
    write_json(folder / INDEX, dict(pipeline=recipe, shape=list(shape), frames=frames))


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

"""Frames that are prepared once: read, resized, and kept in a file that is mapped into memory, or
on the device that trains.

The samples, their order and their random draws stay those of the data set, and so do all values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor
from torch.utils.data import default_collate

from mmscd.structures import DepthDataSample
from mmscd.utils.progress import track

from .formats.frame_folder import Kind, Prepared, open_frames
from .samplers import SampleIndex, draw_key
from .transforms import PackDepthInputs

_THREADS = min(32, os.cpu_count() or 1)
_AT_ONCE = 256  # frames that are read ahead of what becomes of them
# of a sample: its frames, its camera's part of the inputs, its data sample
Entry = tuple[list[Tensor], dict[str, Tensor], DepthDataSample]


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
        prepared = track(_prepare_all(paths, steps), len(paths), 'frames')
        if folder is None:
            self.frames, kinds = _load(prepared, len(paths), device)
            rows = list(range(len(paths)))
        else:
            names = [os.path.relpath(path, dataset.data_root) for path in paths]
            recipe = ', '.join(f'{type(step).__name__}({vars(step)})' for step in steps)
            place = Path(folder).expanduser()
            self.frames, rows, kinds = open_frames(place, recipe, names, prepared)
            if device.type == 'cuda':
                _check_memory(self.frames.numel(), device)
                self.frames = self.frames.to(device)
        self._rows = dict(zip(paths, rows, strict=True))
        self._kinds: Sequence[Kind] = kinds
        self._cameras: dict[tuple, dict[str, Any]] = {}
        self._entries: dict[int, Entry] = {}
        self.batch([0])

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """See `make_batch`."""
        return make_batch([self.entry(index) for index in indices], indices)

    def sample(self, index: int) -> dict[str, Any]:
        """What the pipeline makes of a sample."""
        batch = self.batch([index])
        inputs = {key: value[0] for key, value in batch['inputs'].items()}
        return dict(inputs=inputs, data_samples=batch['data_samples'][0])

    def entry(self, index: int) -> Entry:
        """A sample without its draw key. ValueError where its frames differ in size, or where its
        image is another one than when the frames were prepared (the first sample of each camera is
        looked at)."""
        known = self._entries.get(int(index))
        if known is not None:
            return known
        info = self.dataset.get_data_info(SampleIndex(index, 0))
        rows = [self._rows[path] for path in info['frame_paths']]
        kinds = [self._kinds[row] for row in rows]
        for path, kind in zip(info['frame_paths'], kinds, strict=True):
            if kind != kinds[0]:
                raise ValueError(
                    f'frames of a sample must have one size and kind: {path} has {kind}, '
                    f'{info["img_path"]} has {kinds[0]} (height, width as stored and as decoded)'
                )
        frames = [self.frames[row] for row in rows]
        camera = self._camera(info, kinds[0], frames)
        meta = {k: v if k in _OF_CAMERA else info.get(k, v) for k, v in camera['meta'].items()}
        entry = frames, camera['inputs'], DepthDataSample(metainfo=meta)
        if self.on_device:  # in one process; the workers of a data loader would each keep all
            self._entries[int(index)] = entry
        return entry

    def _camera(self, info: dict, kind: Kind, frames: list[Tensor]) -> dict[str, Any]:
        """What samples of one camera have in common, by the pipeline itself."""
        matrices = [info[key].tobytes() for key in ('K_ori', 'T_stereo') if key in info]
        key = kind, info.get('camera_size'), *matrices
        if key not in self._cameras:
            usual = self.dataset.pipeline(dict(info))
            inputs, path = usual['inputs'], info['img_path']
            if not torch.equal(inputs.pop('frames'), torch.stack(frames).cpu()):
                mend = 'remove the folder that `packed` names, and it is made anew'
                raise ValueError(f'{path} is not the image that was packed: {mend}')
            del inputs['draw_key']
            self._cameras[key] = dict(inputs=inputs, meta=dict(usual['data_samples'].metainfo))
        return self._cameras[key]


def make_batch(entries: Sequence[Entry], indices: Sequence[int]) -> dict[str, Any]:
    """What `default_collate` makes of the samples of such entries and of their indices; in one copy
    of their frames, in the worker of a data loader into memory that the trainer shares."""
    frames = default_collate([frame for frames, *_ in entries for frame in frames])
    inputs = default_collate([camera for _, camera, _ in entries])
    inputs['draw_key'] = torch.tensor([draw_key(index) for index in indices])
    inputs = {k: v.to(frames.device, non_blocking=True) for k, v in inputs.items()}
    inputs['frames'] = frames.unflatten(0, (len(entries), -1))
    return dict(inputs=inputs, data_samples=[sample for *_, sample in entries])


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


def _prepare(path: str, steps: Sequence[Any]) -> Prepared:
    """A frame (3, H, W) uint8, and its kind."""
    results: dict[str, Any] = dict(frame_paths=[path], img_path=path, K_ori=np.eye(3))
    kind: Kind = ()
    for step in steps:
        results = step(results)
        kind = kind or (*results['ori_shape'], *results['img_shape'])
    return np.ascontiguousarray(results['frames'][0].transpose(2, 0, 1)), kind


def _prepare_all(paths: Sequence[str], steps: Sequence[Any]) -> Iterator[Prepared]:
    """All frames in order, by threads."""
    first = None
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            prepared = zip(some, pool.map(partial(_prepare, steps=steps), some), strict=True)
            for path, (frame, kind) in prepared:
                first = frame.shape if first is None else first
                if frame.shape != first:
                    raise ValueError(
                        f'{path} comes out as {frame.shape}, {paths[0]} as {first}: frames that '
                        'are prepared once must have one size, which ResizeFrames gives'
                    )
                yield frame, kind


def _load(
    prepared: Iterable[Prepared], count: int, device: torch.device
) -> tuple[Tensor, list[Kind]]:
    """So many frames in the memory of a device, and their kinds."""
    frames, kinds = torch.empty(0), []
    for row, (frame, kind) in enumerate(prepared):
        if row == 0:
            _check_memory(count * frame.nbytes, device)
            frames = torch.empty((count, *frame.shape), dtype=torch.uint8, device=device)
        frames[row] = torch.from_numpy(frame)
        kinds.append(kind)
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

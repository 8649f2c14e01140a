"""A config that trains on the frames of a folder, and the yaml of their camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmscd.utils.compat import breaks_config
from mmscd.utils.files import atomic_write

CONFIG_NAME = 'monodepth2_r18.py'
_EPOCHS, _BATCH = 20, 12
_PIXELS = 640 * 192  # of the network's input, about
_TEMPLATE = """# Made by from_video.py: Monodepth2 on the frames in this folder. There is no ground
# truth, so nothing is validated.
_base_ = [
    'mmscd::_base_/models/monodepth2_r18.py',
    'mmscd::_base_/datasets/folder_video.py',
    'mmscd::_base_/schedules/schedule_20e.py',
    'mmscd::_base_/default_runtime.py',
]
img_size = ({width}, {height})  # width, height: multiples of 32, about as wide as the frames are

train_pipeline = [
    dict(type='LoadFrames', reduce=img_size),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(
    # anew: `mmscd::` leaves a key in inherited dicts that default_collate does not take
    collate_fn=dict(_delete_=True, type='default_collate'),
    dataset=dict(
        data_root={frames},
        intrinsics={intrinsics},
        pipeline=train_pipeline,
    ),
)
# {epochs} epochs of {samples} samples
iters_per_epoch = {per_epoch}
train_cfg = dict(max_iters={epochs} * iters_per_epoch, val_interval={epochs} * iters_per_epoch)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[15 * iters_per_epoch], gamma=0.1),
]
val_cfg = test_cfg = None
default_hooks = dict(
    checkpoint=dict(interval={interval}, save_best=None), collapse_monitor=dict(begin={begin})
)
"""


def write_config(out: Path, size: tuple[int, int]) -> Path:
    """Write a config that trains on the frames `out/frames/VIDEO/PART/*.jpg` of `size` (width,
    height); an existing one is left alone. ValueError: there are too few frames, or
    no config can name `out`."""
    path = out / CONFIG_NAME
    if '{{' in str(out.absolute()):
        raise ValueError(
            f'{out.absolute()}: configs replace what {{{{ }}}} holds; rename the folder'
        )
    folders = {f.parent for f in (out / 'frames').glob('*/*/*.jpg')}
    samples = sum(max(0, len(list(folder.glob('*.jpg'))) - 2) for folder in folders)
    if samples == 0:
        text = 'the camera hardly moves, or --motion or --stride is too large'
        raise ValueError(f'{out}/frames has no three frames in a row: {text}')
    if not path.is_file():
        width, height = input_size(size)
        per_epoch = max(1, samples // _BATCH)
        # beside the file wherever the folder moves, unless its name cannot be pasted into a config
        absolute = str(out.absolute())
        root = absolute if breaks_config(absolute) else '{{ fileDirname }}'
        text = _TEMPLATE.format(
            frames=repr(f'{root}/frames'), intrinsics=repr(f'{root}/intrinsics.yaml'),
            width=width, height=height, epochs=_EPOCHS, samples=samples, per_epoch=per_epoch,
            interval=max(1, min(1000, _EPOCHS * per_epoch)), begin=min(500, 2 * per_epoch),
        )  # fmt: skip
        atomic_write(path, text.encode())
    return path


def input_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the network's input: multiples of 32, about as many pixels as 640x192,
    the aspect ratio as near to that of frames of `size` (width, height) as that allows."""
    ratio = size[0] / size[1]
    candidates = [(32 * i, 32 * j) for i in range(3, 33) for j in range(3, 33)]
    near = [c for c in candidates if 0.8 * _PIXELS <= c[0] * c[1] <= 1.15 * _PIXELS]
    return min(near, key=lambda c: (abs(np.log(c[0] / c[1] / ratio)), -c[0] * c[1]))


def write_intrinsics(path: Path, K: np.ndarray, size: tuple[int, int]) -> None:
    """Write the yaml that `FolderDepthDataset` reads: K (3, 3), pixels of frames of `size`."""
    numbers = dict(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2], width=size[0], height=size[1])
    text = '# pixels of the frames beside this file; pixel centres are integers\n'
    text += ''.join(f'{key}: {value:.10g}\n' for key, value in numbers.items())
    atomic_write(path, text.encode())

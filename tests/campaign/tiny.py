"""A network and data that train in a second, for whatever needs a whole training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
DATE, DRIVE = '2011_09_26', '2011_09_26/2011_09_26_drive_0001_sync'
CAM_TO_CAM = """calib_time: 09-Jan-2012 13:57:47
S_rect_02: 9.6e+01 6.4e+01
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 60 0 47 2.0 0 60 32 0.4 0 0 1 0.01
S_rect_03: 9.6e+01 6.4e+01
P_rect_03: 60 0 47 -18.0 0 60 32 0.4 0 0 1 0.01
"""
VELO_TO_CAM = 'calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.27\n'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/loaders.py',
    '{root}/configs/_base_/models/monodepth2_r18.py',
    '{root}/configs/_base_/schedules/schedule_20e.py',
    '{root}/configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['tiny'])
train_pipeline = test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=(96, 64)),
    dict(type='PackDepthInputs'),
]
model = dict(
    backbone=dict(_delete_=True, type='TinyEncoder'),
    disp_head=dict(in_channels=(4,) * 5, channels=(4,) * 5),
    pose_net=dict(
        encoder=dict(_delete_=True, type='TinyEncoder', in_channels=6), in_channels=4, channels=4
    ),
)
kitti = dict(type='KITTIRawDataset', data_root='{data}', pipeline=train_pipeline)
common = dict(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = dict(common, dataset=dict(kitti, ann_file='train.txt'))
val_dataloader = dict(
    common, dataset=dict(kitti, ann_file='test.txt', frame_ids=(0,), gt='improved')
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='default')
test_evaluator = val_evaluator
param_scheduler = []
train_cfg = dict(max_iters=12, val_interval=4)
default_hooks = dict(
    checkpoint=dict(interval=2, max_keep_ckpts=2),
    logger=dict(interval=1),
    visualization=dict(max_images=1),
)
"""


@MODELS.register_module(force=True)
class TinyEncoder(BaseModule):
    """Five maps of four channels, with strides 2, 4, 8, 16, 32."""

    def __init__(self, in_channels: int = 3, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        inside = (in_channels, 4, 4, 4, 4)
        self.steps = nn.ModuleList(nn.Conv2d(count, 4, 3, 2, 1) for count in inside)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to maps."""
        maps = []
        for step in self.steps:
            x = torch.relu(step(x))
            maps.append(self.norm(x))
        return maps


def picture(seed: int = 0, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A frame of a smooth wall that slides by, uint8 (H, W, 3)."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 40, 3), dtype=np.uint8)
    wall = cv2.resize(noise, (size[0] + 300, size[1]), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wall[:, 3 * seed % 300 :][:, : size[0]])


def write_image(path: Path, image: np.ndarray) -> Path:
    """Write, with the folders on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image), path
    return path


def write_text(path: Path, text: str) -> Path:
    """Likewise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_kitti(root: Path, frames: int = 5) -> Path:
    """KITTI raw with one drive: both cameras, LiDAR, the benchmark's depth, splits."""
    write_text(root / DATE / 'calib_cam_to_cam.txt', CAM_TO_CAM)
    write_text(root / DATE / 'calib_velo_to_cam.txt', VELO_TO_CAM)
    depth = np.full((64, 96), 256 * 10, np.uint16)
    depth[32:] = np.linspace(2560, 1024, 32, dtype=np.uint16)[:, None]
    for frame in range(frames):
        name = f'{frame:010d}'
        for camera in (2, 3):
            write_image(root / DRIVE / f'image_0{camera}/data/{name}.png', picture(frame))
        write_image(root / DRIVE / f'proj_depth/groundtruth/image_02/{name}.png', depth)
        scan = root / DRIVE / f'velodyne_points/data/{name}.bin'
        scan.parent.mkdir(parents=True, exist_ok=True)
        points = np.random.default_rng(frame).uniform([-5, -8, -2, 0], [40, 8, 2, 1], (300, 4))
        points.astype('<f4').tofile(scan)
    lines = [f'{DRIVE} {frame} l\n' for frame in range(frames)]
    write_text(root / 'train.txt', ''.join(lines[1:-1]))
    write_text(root / 'test.txt', ''.join(lines[:2]))
    return root


def make_config(folder: Path, data: Path) -> Path:
    """A config that trains `TinyEncoder` on `make_kitti`'s data."""
    return write_text(folder / 'tiny.py', CONFIG.format(root=ROOT, data=data))

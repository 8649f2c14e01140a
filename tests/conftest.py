"""What tests of several folders share."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault('TRITON_INTERPRET', '1')  # Triton reads it when it is imported

ROOT = Path(__file__).resolve().parent.parent

CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_rect_02: 1.600000e+02 8.000000e+01
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 9.0e+01 0 7.95e+01 0 0 9.0e+01 3.95e+01 0 0 0 1 0
S_rect_03: 1.600000e+02 8.000000e+01
P_rect_03: 9.0e+01 0 7.95e+01 -4.86e+01 0 9.0e+01 3.95e+01 0 0 0 1 0
"""
VELODYNE = 'R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/loaders.py',
    '{root}/configs/_base_/models/monodepth2_r18.py',
    '{root}/configs/_base_/schedules/schedule_20e.py',
    '{root}/configs/_base_/default_runtime.py',
]
train_pipeline = test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=(128, 64)),
    dict(type='PackDepthInputs'),
]
model = dict(backbone=dict(init_cfg=None), pose_net=dict(encoder=dict(init_cfg=None)))
kitti = dict(type='KITTIRawDataset', data_root='{data}', pipeline=train_pipeline)
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=False,
    pin_memory=False,
    dataset=dict(kitti, ann_file='train_files.txt'),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    dataset=dict(kitti, ann_file='test_files.txt', frame_ids=(0,), gt='improved'),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='default')
test_evaluator = val_evaluator
param_scheduler = []
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
"""


# the full method: all parts, a real teacher with random weights, a schedule that is on its ramp
SCD_CONFIG = """
_base_ = ['{base}']
model = dict(
    losses=dict(
        structure=dict(type='StructureConsistencyLoss'),
        texture=dict(type='TextureDisambiguationLoss'),
    ),
    pixel_weights=dict(moving=dict(type='MovingObjectWeight')),
    distiller=dict(
        type='IsomorphicGraphDistiller',
        student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
        teacher=dict(
            type='MMSegTeacher',
            config='mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
            taps=[dict(module='backbone', index=2, channels=128, stride=8)],
            needs_logits=True,
            allow_random=True,
        ),
        losses=dict(
            edge=dict(type='EdgeKLLoss'),
            node=dict(type='NodeCosineLoss'),
            anchor=dict(type='AnchorLoss'),
        ),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    schedule=dict(type='ScheduleHook', parts=dict(graph=dict(begin=2, ramp=20))),
    distill=dict(type='IsomorphicGraphDistillHook', probe_size=(64, 128)),
)
"""


@pytest.fixture(scope='session')
def tiny_kitti(tmp_path_factory):
    """A drive of 14 frames at 160x80 in the KITTI-raw layout: a textured wall that slides by."""
    root = tmp_path_factory.mktemp('tiny_kitti')
    date = root / '2011_09_26'
    drive = date / '2011_09_26_drive_0001_sync'
    images, truth = drive / 'image_02/data', drive / 'proj_depth/groundtruth/image_02'
    images.mkdir(parents=True)
    truth.mkdir(parents=True)
    (date / 'calib_cam_to_cam.txt').write_text(CALIBRATION)
    (date / 'calib_velo_to_cam.txt').write_text(VELODYNE)
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.uniform(0, 255, (80, 400, 3)), (0, 0), 2)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    depth = np.full((80, 160), 10.0)
    depth[40:] = np.linspace(10, 4, 40)[:, None]
    for i in range(14):
        cv2.imwrite(str(images / f'{i:010d}.png'), wall[:, 5 * i : 5 * i + 160])
        cv2.imwrite(str(truth / f'{i:010d}.png'), (depth * 256).astype(np.uint16))
    line = '2011_09_26/2011_09_26_drive_0001_sync {} l\n'
    (root / 'train_files.txt').write_text(''.join(line.format(i) for i in range(1, 13)))
    (root / 'test_files.txt').write_text(''.join(line.format(i) for i in range(5)))
    return root


@pytest.fixture(scope='session')
def tiny_config(tiny_kitti, tmp_path_factory):
    """A config file that trains a ResNet-18 on `tiny_kitti` in seconds."""
    path = tmp_path_factory.mktemp('config') / 'tiny.py'
    path.write_text(CONFIG.format(root=ROOT, data=tiny_kitti))
    return path


@pytest.fixture(scope='session')
def tiny_scd_config(tiny_config):
    """The same with all parts of SCD."""
    path = tiny_config.with_name('tiny_scd.py')
    path.write_text(SCD_CONFIG.format(base=tiny_config))
    return path


@pytest.fixture(scope='session')
def run_tool():
    """Runs a command of the repository; fails with its output where it fails."""

    def run(*command, check=True, **options):
        environment = os.environ | {'PYTHON': sys.executable} | options.pop('env', {})
        if str(command[0]).endswith('.py'):
            command = (sys.executable, *command)
        result = subprocess.run(
            [str(part) for part in command],
            cwd=options.pop('cwd', ROOT),
            env=environment,
            capture_output=True,
            text=True,
            **options,
        )
        if check:
            assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result

    return run


@pytest.fixture(scope='session')
def mmscd_data():
    """The folder of real data, or a skip."""
    path = os.environ.get('MMSCD_DATA')
    if not path or not Path(path).is_dir():
        pytest.skip('real data: MMSCD_DATA is not set')
    return Path(path)


@pytest.fixture(scope='session')
def tiny_weights(tiny_config, tmp_path_factory):
    """A checkpoint of `tiny_config` as training writes it."""
    from mmengine.registry import init_default_scope

    from mmscd.registry import MODELS
    from mmscd.utils.config import load_config

    init_default_scope('mmscd')
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(tiny_config)).model)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.fixture(scope='session')
def street(tiny_kitti):
    """The images of `tiny_kitti`, uint8 RGB 160x80."""
    paths = sorted(tiny_kitti.glob('*/*/image_02/data/*.png'))
    return [cv2.imread(str(path))[..., ::-1] for path in paths]


@pytest.fixture(scope='session')
def long_video(street, tmp_path_factory):
    """400 frames of 160x80."""
    path = tmp_path_factory.mktemp('video') / 'drive.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (160, 80))
    for i in range(400):
        writer.write(np.ascontiguousarray(street[i % len(street)][..., ::-1]))
    writer.release()
    return path

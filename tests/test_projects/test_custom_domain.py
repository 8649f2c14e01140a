"""Own video and own labels to a teacher, a depth network and ONNX, as the README says."""

import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.models.pixel_weights.moving_object import movable_ids
from mmscd.registry import MODELS
from mmscd.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'projects/custom_domain/configs'
TEACHER, STUDENT = CONFIGS / 'teacher/fpn_r18_streets.py', CONFIGS / 'scd/scd_r18_streets.py'
SIZE = (192, 96)


def street(position):
    """A frame (RGB order does not matter) and its labels: road below, houses above, a car."""
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.uniform(0, 255, (SIZE[1], 600, 3)), (0, 0), 2)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    image = wall[:, 5 * position : 5 * position + SIZE[0]].copy()
    labels = np.full(SIZE[::-1], 2, np.uint8)
    labels[60:] = 0
    labels[50:70, 80:110] = 6
    image[60:] //= 2
    image[50:70, 80:110] = (200, 30, 30)
    return image, labels


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('domain')
    writer = cv2.VideoWriter(str(root / 'drive.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, SIZE)
    for position in range(20):
        writer.write(street(position)[0])
    writer.release()
    for part, positions in (('train', range(8)), ('val', range(30, 32))):
        for kind, suffix in (('images', 'jpg'), ('labels', 'png')):
            (root / 'labels' / kind / part).mkdir(parents=True)
            for p in positions:
                picture = street(p)[kind == 'labels']
                cv2.imwrite(str(root / f'labels/{kind}/{part}/{p:03d}.{suffix}'), picture)
    return root


@pytest.fixture(scope='module')
def streets(data, run_tool):
    out = data / 'streets'
    run_tool(
        'tools/dataset_converters/from_video.py', data / 'drive.avi', '--hfov', 70, '--out', out
    )
    return out


@pytest.mark.slow
def test_video_and_labels_to_onnx(data, streets, run_tool):
    env = dict(
        STREET_LABELS=str(data / 'labels'), STREETS=str(streets), OMP_NUM_THREADS='1',
        STREET_TEACHER=str(data / 'teacher/iter_4.pth'),
    )  # fmt: skip
    # random weights, small images, few iterations: everything else is as it stands
    run_tool(
        'tools/train.py', TEACHER, '--work-dir', data / 'teacher', '--cfg-options',
        'model.backbone.init_cfg=None', 'train_cfg.max_iters=4', 'train_cfg.val_interval=4',
        'default_hooks.checkpoint.interval=4', 'train_dataloader.batch_size=2',
        'model.data_preprocessor.size=(96,192)',
        'train_dataloader.dataset.pipeline.2.scale=(192,96)',
        'train_dataloader.dataset.pipeline.3.crop_size=(96,192)',
        'val_dataloader.dataset.pipeline.1.scale=(192,96)', env=env,
    )  # fmt: skip
    assert (data / 'teacher/iter_4.pth').is_file()
    small = (
        'model.backbone.init_cfg=None', 'model.pose_net.encoder.init_cfg=None',
        'train_cfg.max_iters=3', 'train_dataloader.batch_size=2', 'train_dataloader.num_workers=1',
        'train_dataloader.dataset.pipeline.0.reduce=(128,64)', 'default_hooks.logger.interval=1',
        'train_dataloader.dataset.pipeline.1.size=(128,64)', 'default_hooks.checkpoint.interval=3',
    )  # fmt: skip
    result = run_tool(
        'tools/train.py', STUDENT, '--work-dir', data / 'scd', '--cfg-options', *small, env=env
    )
    said = result.stdout + result.stderr
    for name in ('loss_distill_anchor', 'loss_texture', 'loss_structure', 'moving_share'):
        assert name in said, name
    checkpoint = data / 'scd/iter_3.pth'
    assert checkpoint.is_file()
    if not all(importlib.util.find_spec(name) for name in ('onnx', 'onnxruntime', 'onnxscript')):
        pytest.skip('the last step needs onnx, onnxruntime and onnxscript')
    onnx = data / 'depth.onnx'
    run_tool(
        'tools/deployment/export_onnx.py', STUDENT, checkpoint, onnx, '--size', '128x64',
        '--images', streets / 'frames/drive/part_000', '--max-images', 3, env=env,
    )  # fmt: skip
    assert onnx.stat().st_size > 1e6


def test_configs_agree(data, streets, monkeypatch):
    """Without training: the student's config takes size and data from the video's folder."""
    monkeypatch.setitem(os.environ, 'STREETS', str(streets))
    cfg, teacher = load_config(str(STUDENT)), load_config(str(TEACHER))
    assert cfg.train_dataloader.dataset.data_root == str(streets / 'frames')
    assert cfg.default_hooks.schedule.ramp == cfg.iters_per_epoch
    assert Path(cfg.model.distiller.teacher.config).resolve() == TEACHER
    assert cfg.model.distiller.teacher.taps[0]['channels'] == teacher.model.neck.out_channels
    ids = movable_ids(cfg.model.pixel_weights.moving.get('classes'), teacher.classes, None)
    moving = [teacher.classes[i] for i in ids]
    assert moving == ['person', 'vehicle']
    assert (
        len(teacher.metainfo.palette)
        == len(teacher.classes)
        == (teacher.model.decode_head.num_classes)
    )
    # the parts of SCD are a copy, because two bases must not both set `model`
    parts = load_config(str(ROOT / 'configs/_base_/models/scd_r18.py')).model
    found, wanted = (m.data_preprocessor.get('per_image') for m in (cfg.model, parts))
    assert found == wanted
    assert cfg.model.distiller.losses == parts.distiller.losses
    for name in ('structure', 'texture'):
        assert cfg.model.losses[name] == parts.losses[name]
    cfg.model.backbone.init_cfg = cfg.model.pose_net.encoder.init_cfg = None
    assert MODELS.build(cfg.model).distiller is not None

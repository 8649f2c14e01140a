"""The examples of the documentation do what the pages say."""

import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmscd.models.outputs import StepOutputs
from mmscd.registry import DATASETS, LOSSES, MODELS, TEACHERS

EXAMPLES = Path(__file__).resolve().parents[2] / 'docs/en/examples'
PIPELINE = [dict(type='LoadFrames'), dict(type='PackDepthInputs')]


@pytest.fixture(scope='module', autouse=True)
def registered():
    """Under the names that `custom_imports` gives them."""
    sys.path.insert(0, str(EXAMPLES))
    yield [importlib.import_module(f'new_{n}') for n in ('loss', 'backbone', 'dataset', 'teacher')]
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope='module')
def drives(tmp_path_factory):
    """Two drives of 6 and 3 frames in the layout of the example."""
    root = tmp_path_factory.mktemp('drives')
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.uniform(0, 255, (80, 300, 3)), (0, 0), 2)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    for name, count in (('a', 6), ('b', 3)):
        for folder in ('frames', 'depth'):
            (root / name / folder).mkdir(parents=True)
        np.save(root / name / 'K.npy', [[90, 0, 79.5], [0, 90, 39.5], [0, 0, 1]])
        for i in range(count):
            cv2.imwrite(str(root / name / f'frames/{i}.jpg'), wall[:, 5 * i : 5 * i + 160])
            np.save(root / name / f'depth/{i}.npy', np.full((80, 160), 10.0 + i))
    return root


def test_loss():
    loss = LOSSES.build(dict(type='SecondOrderSmoothnessLoss', loss_weight=1.0))
    v, u = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing='ij')
    outputs = StepOutputs(target=torch.full((2, 3, 16, 24), 0.5))
    plane = (0.1 + 0.01 * u + 0.02 * v).expand(2, 1, 16, 24)
    assert loss(replace(outputs, disps=[plane])).item() < 1e-6
    rng = np.random.default_rng(0)
    disp, image = rng.uniform(0.1, 1, (1, 1, 5, 6)), rng.uniform(0, 1, (1, 3, 5, 6))
    d, total = disp[0, 0] / disp.mean(), 0.0
    for a, im in ((d, image[0]), (d.T, image[0].transpose(0, 2, 1))):
        values = []
        for r in range(a.shape[0]):
            for c in range(a.shape[1] - 2):
                edge = max(np.abs(im[:, r, c + k + 1] - im[:, r, c + k]).mean() for k in (0, 1))
                values.append(abs(a[r, c + 2] - 2 * a[r, c + 1] + a[r, c]) * np.exp(-edge))
        total += np.mean(values)
    outputs = StepOutputs(target=torch.tensor(image), disps=[torch.tensor(disp)])
    assert loss(outputs).item() == pytest.approx(total, rel=1e-9)
    assert outputs.notes['bend'].item() == pytest.approx(total, rel=1e-9)


def test_backbone():
    maps = MODELS.build(dict(type='TinyEncoder'))(torch.rand(2, 3, 64, 96))
    assert [m.shape[1] for m in maps] == [16, 24, 32, 48, 64]
    assert [64 // m.shape[2] for m in maps] == [2, 4, 8, 16, 32]


def test_dataset(drives, tmp_path):
    make = dict(type='DriveFolderDataset', data_root=str(drives), pipeline=PIPELINE)
    dataset = DATASETS.build(dict(make, frame_ids=(0, -1, 1)))
    assert len(dataset) == 4 + 1
    sample = dataset[4]
    assert [Path(p).name for p in sample['data_samples'].frame_paths] == ['1.jpg', '0.jpg', '2.jpg']
    assert sample['inputs']['K'].tolist() == [[90, 0, 79.5], [0, 90, 39.5], [0, 0, 1]]
    test = DATASETS.build(dict(make, frame_ids=(0,), test_mode=True))
    assert len(test) == 9
    assert (test[2]['data_samples'].gt_depth.data == 12).all()
    (tmp_path / 'c/frames').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'c/frames/0.jpg'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match='c/depth does not exist'):
        DATASETS.build(dict(make, data_root=str(tmp_path), frame_ids=(0,), test_mode=True))


def test_teacher():
    taps = [dict(module='', index=3, channels=256, stride=16)]
    network = dict(type='ResNetEncoder', depth=18)
    teacher = TEACHERS.build(dict(type='BackboneTeacher', network=network, taps=taps))
    images = torch.rand(2, 3, 64, 96, requires_grad=True)
    said = teacher(images)
    assert said['feats'][0].shape == (2, 256, 4, 6) and said['logits'] is None
    assert not said['feats'][0].requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.train().network.training
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = teacher.network((images - mean.view(3, 1, 1)) / std.view(3, 1, 1))[3]
    assert torch.allclose(said['feats'][0], expected, atol=1e-6)


@pytest.mark.slow
def test_all_together(drives, run_tool, tmp_path):
    """By the command at the head of the config, three iterations."""
    path = str(EXAMPLES) + os.pathsep + os.environ.get('PYTHONPATH', '')
    options = ('train_cfg.max_iters=3', 'train_cfg.val_interval=3')
    result = run_tool(
        'tools/train.py', EXAMPLES / 'all_together.py', '--work-dir', tmp_path, '--cfg-options',
        *options, 'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=3',
        env=dict(PYTHONPATH=path, DRIVES=str(drives), OMP_NUM_THREADS='1'),
    )  # fmt: skip
    said = result.stdout + result.stderr
    assert (tmp_path / 'iter_3.pth').is_file()
    for name in ('loss_bend', 'loss_distill_edge', 'teacher BackboneTeacher', 'abs_rel'):
        assert name in said, name
    assert 'loss_smoothness' not in said

"""What every data set does: draw keys through workers, errors, official split files."""

import os
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader

from mmscd.datasets import KeyedInfiniteSampler, KITTIRawDataset, SampleIndex
from mmscd.datasets.formats.file_index import FileIndex
from mmscd.utils.keyed_random import make_key

DATA = os.environ.get('MMSCD_DATA')
PIPELINE = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=(32, 16)),
    dict(type='PackDepthInputs'),
]


def test_draw_key(kitti):
    dataset = KITTIRawDataset(kitti)
    info = dataset[SampleIndex(3, -12345)]
    assert info['draw_key'] == -12345 and info['sample_idx'] == 3
    assert type(info['draw_key']) is int and type(info['sample_idx']) is int
    np.random.seed(0)
    first = [dataset[3]['draw_key'] for _ in range(3)]
    np.random.seed(0)
    assert first == [dataset[3]['draw_key'] for _ in range(3)] and len(set(first)) == 3


@pytest.mark.parametrize('workers', [0, 2])
def test_draw_keys_arrive_through_a_loader(kitti, workers):
    dataset = KITTIRawDataset(kitti, pipeline=PIPELINE)
    sampler = KeyedInfiniteSampler(dataset, seed=5)
    loader = iter(
        DataLoader(dataset, 3, sampler=sampler, num_workers=workers, collate_fn=default_collate)
    )
    for step in range(4):
        batch = next(loader)
        expected = [make_key(5, 3 * step + n) for n in range(3)]
        assert batch['inputs']['draw_key'].tolist() == expected
        assert batch['inputs']['draw_key'].dtype == torch.int64
        assert batch['inputs']['frames'].shape == (3, 3, 3, 16, 32)
        assert batch['inputs']['K'].shape == (3, 3, 3)
        assert [type(s.sample_idx) for s in batch['data_samples']] == [int] * 3


def test_ground_truth_of_several_sizes_collates(kitti):
    """Dates of KITTI differ in image size: frames are resized to one, ground truth stays."""
    first, second = kitti / '2011_09_26', kitti / '2011_09_28'
    shutil.copytree(first, second)
    calibration = second / 'calib_cam_to_cam.txt'
    calibration.write_text(calibration.read_text().replace('6.4e+01 2.4e+01', '60 20'))
    for path in second.rglob('*.png'):
        cv2.imwrite(str(path), cv2.imread(str(path))[:20, :60])
    dataset = KITTIRawDataset(kitti, frame_ids=(0,), pipeline=PIPELINE, test_mode=True)
    assert len(dataset) == 16
    batch = default_collate([dataset[0], dataset[15]])
    shapes = [tuple(sample.gt_depth.data.shape) for sample in batch['data_samples']]
    assert shapes == [(1, 24, 64), (1, 20, 60)]
    assert batch['inputs']['frames'].shape == (2, 1, 3, 16, 32)


def test_indices_and_unserialised(kitti):
    plain = KITTIRawDataset(kitti, serialize_data=False)
    packed = KITTIRawDataset(kitti, indices=[1, 4])
    assert len(plain) == 8 and len(packed) == 2
    assert packed[1]['frame_paths'] == plain[4]['frame_paths']
    assert plain.get_subset(3)[2]['img_path'] == plain[2]['img_path']


def test_pipeline_that_returns_none(kitti):
    dataset = KITTIRawDataset(kitti, pipeline=[lambda results: None])
    with pytest.raises(ValueError, match='pipeline returned None for sample 0'):
        dataset[0]


@pytest.mark.skipif(not DATA, reason='MMSCD_DATA (real KITTI frames) is not set')
class TestOfficialFiles:
    @pytest.mark.parametrize(
        'name, count',
        [
            ('eigen_zhou/train_files.txt', 39810),
            ('eigen_zhou/val_files.txt', 4424),
            ('eigen/test_files.txt', 697),
            ('eigen_benchmark/test_files.txt', 652),
        ],
    )
    def test_counts(self, name, count):
        dataset = KITTIRawDataset(f'{DATA}/kitti_raw', f'{DATA}/splits/{name}', lazy_init=True)
        entries = list(dataset._read_split())
        assert len(entries) == count and len({entry[1:] for entry in entries}) == count
        assert {entry[3] for entry in entries} <= {'l', 'r'}

    def test_start_up_is_fast(self, monkeypatch):
        """Zhou's training split as if all were there: far below the time of one stat per file."""
        monkeypatch.setattr(
            FileIndex,
            'find',
            lambda self, folder, frame, extensions: (f'{folder}/{frame:010d}.jpg', None),
        )
        monkeypatch.setattr(FileIndex, 'problem', lambda self, path: None)
        monkeypatch.setattr(KITTIRawDataset, 'check_camera', lambda self, info: None)
        start = time.perf_counter()
        split = Path(DATA) / 'splits/eigen_zhou/train_files.txt'
        dataset = KITTIRawDataset(f'{DATA}/kitti_raw', str(split), frame_ids=(0, -1, 1, 's'))
        assert len(dataset) == 39810 and time.perf_counter() - start < 10

    def test_real_frames(self):
        dataset = KITTIRawDataset(
            f'{DATA}/kitti_raw',
            drives=['2011_09_26_drive_0095_sync', '2011_09_26_drive_9001_sync'],
            sides=('l',),
            pipeline=PIPELINE,
        )
        assert len(dataset) == 266 + 89
        sample = dataset[0]
        K = sample['inputs']['K']
        assert K[0, 0].item() == pytest.approx(721.5377 * 32 / 1242)
        assert K[1, 2].item() == pytest.approx((172.854 + 0.5) * 16 / 375 - 0.5)
        assert sample['data_samples'].ori_shape == (375, 1242)

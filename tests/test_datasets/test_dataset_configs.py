"""The dataset configs: sizes and frame ids reach every place that needs them."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmscd.registry import DATASETS

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
KITTI = sorted(FOLDER.glob('kitti_raw_m*.py')) + sorted(FOLDER.glob('kitti_raw_s*.py'))


def resize_of(dataset):
    return next(t['size'] for t in dataset['pipeline'] if t['type'] == 'ResizeFrames')


@pytest.mark.parametrize('path', KITTI, ids=lambda path: path.stem)
def test_kitti_configs_are_consistent(path):
    cfg = Config.fromfile(path)
    loaders = [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]
    assert {tuple(resize_of(loader.dataset)) for loader in loaders} == {tuple(cfg.img_size)}
    assert tuple(cfg.train_dataloader.dataset.frame_ids) == tuple(cfg.frame_ids)
    assert ('s' in cfg.frame_ids) == ('stereo' in path.stem)
    assert (-1 in cfg.frame_ids) == ('mono' in path.stem or 'mini' in path.stem)
    if 'mini' not in path.stem:
        assert path.stem.endswith('x'.join(map(str, cfg.img_size)))
    for loader in loaders[1:]:
        assert tuple(loader.dataset.frame_ids) == (0,) and loader.dataset.test_mode
        assert 'reduce' not in loader.dataset.pipeline[0]
        assert loader.sampler == dict(type='DefaultSampler', shuffle=False, round_up=False)
    assert cfg.train_dataloader.sampler.type == 'KeyedInfiniteSampler'
    assert cfg.test_evaluator == cfg.val_evaluator
    Config.fromstring(cfg.pretty_text, '.py')


def test_mini_config_builds(kitti, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(kitti))
    cfg = Config.fromfile(FOLDER / 'kitti_raw_mini.py')
    dataset = cfg.train_dataloader.dataset
    assert dataset.data_root == str(kitti)
    dataset.drives = ['2011_09_26_drive_0001_sync']
    sample = DATASETS.build(dataset)[0]
    assert sample['inputs']['frames'].shape == (3, 3, 96, 320)


def test_folder_config_builds(kitti, monkeypatch):
    frames = kitti / '2011_09_26/2011_09_26_drive_0001_sync/image_02/data'
    (kitti / 'camera.yaml').write_text('hfov_deg: 80\n')
    monkeypatch.setenv('VIDEO_ROOT', str(frames))
    monkeypatch.setenv('VIDEO_INTRINSICS', str(kitti / 'camera.yaml'))
    cfg = Config.fromfile(FOLDER / 'folder_video.py')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 4 and dataset[0]['inputs']['frames'].shape == (3, 3, 192, 640)

"""The dataset configs beyond KITTI raw: they parse, build, and agree with themselves."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmscd.registry import DATASETS, METRICS, TRANSFORMS

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
# image size before the pipeline (width, height) and after it
SHAPES = {
    'cityscapes': ((2048, 1024), (512, 192)),
    'ddad': ((1936, 1216), (640, 384)),
    'driving_stereo': ((1762, 800), (640, 192)),
    'foggy_cityscapes': ((2048, 1024), (512, 192)),
    'kitti_2015': ((1242, 375), (640, 192)),
    'kitti_depth_benchmark': ((1216, 352), (640, 192)),
    'kitti_odometry': ((1226, 370), (640, 192)),
    'kitti_raw_improved': ((1242, 375), (640, 192)),
    'make3d': ((1704, 2272), (640, 192)),
    'nuscenes': ((1600, 900), (576, 320)),
    'nuscenes_night': ((1600, 900), (576, 320)),
    'robotcar': ((1280, 960), (576, 320)),
}
KEPT = {'cityscapes': (768, 2048), 'foggy_cityscapes': (768, 2048), 'make3d': (852, 1704)}
KEPT['robotcar'] = (640, 1152)


def sample_of(size, frames):
    width, height = size
    K = np.array([[700.0, 0, width / 2], [0, 700, height / 2], [0, 0, 1]])
    picture = np.zeros((height, width, 3), np.uint8)
    return dict(
        frames=[picture] * frames,
        frame_paths=['a.png'] * frames,
        frame_ids=list(range(frames)),
        img_path='a.png',
        sample_idx=0,
        draw_key=0,
        ori_shape=(height, width),
        img_shape=(height, width),
        K=K,
        K_ori=K.copy(),
        condition='day',
        sequence='09',
        frame=0,
        gt_pose=np.eye(4).tolist(),
    )


@pytest.mark.parametrize('name', SHAPES)
def test_config(name):
    path = FOLDER / f'{name}.py'
    assert path.read_text().startswith('# ') and 'Protocol' in path.read_text()
    cfg = Config.fromfile(path)
    before, after = SHAPES[name]
    loaders = {k: cfg[k] for k in cfg if k.endswith('_dataloader')}
    assert loaders and set(cfg.official_sizes) <= set(loaders)
    for key, loader in loaders.items():
        dataset = loader.dataset
        assert DATASETS.get(dataset.type) is not None
        steps = [TRANSFORMS.build(step) for step in dataset.pipeline]
        assert 'LoadFrames' in repr(steps[0])
        results = sample_of(before, len(dataset.get('frame_ids', (0, -1, 1))))
        for step in steps[1:]:
            results = step(results)
        shape = results['inputs']['frames'].shape
        assert shape[2:] == after[::-1] and shape[3] % 32 == 0 and shape[2] % 32 == 0
        kept = KEPT.get(name, before[::-1])
        assert results['data_samples'].ori_shape == kept
        assert key == 'train_dataloader' or dataset.test_mode
    for key in ('val_evaluator', 'test_evaluator'):
        if cfg.get(key) and cfg[key].type != 'KITTISubmission':
            METRICS.build(cfg[key])
    if name not in ('kitti_odometry', 'kitti_depth_benchmark'):
        assert cfg.test_evaluator == cfg.val_evaluator
        assert cfg.test_dataloader == cfg.val_dataloader
    Config.fromstring(cfg.pretty_text, '.py')


def test_a_set_has_the_loaders_that_it_has_data_for():
    """All come from one base; what a file takes out must be gone, or mmengine wants its loop."""
    lacking = dict(
        make3d='train', kitti_2015='train', driving_stereo='train', kitti_depth_benchmark='train',
        kitti_odometry='val', folder_video='val test',
    )  # fmt: skip
    for name, parts in lacking.items():
        cfg = Config.fromfile(FOLDER / f'{name}.py')
        found = {key.removesuffix('_dataloader') for key in cfg if key.endswith('_dataloader')}
        assert found == {'train', 'val', 'test'} - set(parts.split()), name


def test_inherited_evaluation_is_replaced():
    night = Config.fromfile(FOLDER / 'nuscenes_night.py')
    assert night.val_evaluator.protocol == 'nuscenes_night'
    assert night.val_dataloader.dataset.split is None
    assert night.val_dataloader.dataset.ann_file.endswith('night_test_split.txt')
    foggy = Config.fromfile(FOLDER / 'foggy_cityscapes.py')
    assert foggy.test_dataloader.dataset.type == 'FoggyCityscapesDataset'
    assert foggy.train_dataloader.dataset.type == 'CityscapesDataset'
    improved = Config.fromfile(FOLDER / 'kitti_raw_improved.py')
    assert improved.val_dataloader.dataset.gt == 'improved'
    assert improved.test_evaluator.protocol == 'kitti_eigen_improved'

"""Several data sets, cameras and sizes in one training, and the config over real streets."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from mmscd.datasets import KeyedInfiniteSampler
from mmscd.registry import DATASETS
from mmscd.utils.config import load_config

STREETS = Path(__file__).parents[2] / 'configs/_base_/datasets'
# fx, fy, cx, cy, width, height; the first is grey
CAMERAS = dict(grey=(90, 92, 40.5, 20.25, 80, 48), colour=(300, 310, 150, 60, 320, 120))
PIPELINE = [
    dict(type='LoadFrames', reduce=(64, 32)),
    dict(type='ResizeFrames', size=(64, 32)),
    dict(type='PackDepthInputs'),
]


@pytest.fixture
def parts(tmp_path):
    rng, configs = np.random.default_rng(0), []
    for name, camera in CAMERAS.items():
        keys = ('fx', 'fy', 'cx', 'cy', 'width', 'height')
        folder = tmp_path / name
        folder.mkdir()
        lines = [f'{key}: {value}' for key, value in zip(keys, camera, strict=True)]
        (folder / 'intrinsics.yaml').write_text('\n'.join(lines))
        shape = (camera[5], camera[4], *[3] * (name == 'colour'))
        for i in range(6):
            cv2.imwrite(str(folder / f'{i}.jpg'), rng.integers(0, 255, shape, np.uint8))
        how = dict(type='FolderDepthDataset', data_root=str(folder), dataset_name=name)
        configs.append(how)
    return configs


def test_batches_mix_cameras_and_every_sample_has_its_own(parts):
    joined = DATASETS.build(
        dict(type='JoinedDataset', datasets=parts, pipeline=PIPELINE, frame_ids=(0, 1))
    )
    assert len(joined) == 10
    sampler = KeyedInfiniteSampler(joined, seed=3)
    keys = [index.draw_key for index in itertools.islice(sampler, 8)]
    loader = DataLoader(joined, batch_size=8, sampler=sampler, collate_fn=list)
    batch = next(iter(loader))
    names = [Path(item['data_samples'].img_path).parent.name for item in batch]
    assert set(names) == set(CAMERAS)
    assert [int(item['inputs']['draw_key']) for item in batch] == keys
    for name, item in zip(names, batch, strict=True):
        fx, fy, cx, cy, width, height = CAMERAS[name]
        x, y = 64 / width, 32 / height
        K = [[fx * x, 0, (cx + 0.5) * x - 0.5], [0, fy * y, (cy + 0.5) * y - 0.5], [0, 0, 1]]
        assert item['inputs']['K'].numpy() == pytest.approx(np.array(K), rel=1e-5)
        frames = item['inputs']['frames']
        assert frames.shape == (2, 3, 32, 64)
        assert (frames[:, 0] == frames[:, 1]).all() == (name == 'grey')


def test_a_part_has_the_last_word(parts):
    parts[1]['stride'] = 2
    parts[1]['frame_ids'] = (0,)
    how = dict(type='JoinedDataset', datasets=parts, pipeline=PIPELINE, frame_ids=(0, 1), stride=1)
    joined = DATASETS.build(how)
    assert [len(part) for part in joined.datasets] == [5, 3]
    parts[0]['stirde'] = 2
    with pytest.raises(TypeError, match='stirde'):
        DATASETS.build(how)


@pytest.fixture
def streets(mmscd_data, monkeypatch):
    """Loads a config over the real streets."""
    if not (mmscd_data / 'streets').is_dir():
        pytest.skip('real data: there are no streets')
    names = dict(
        STREETS_ROOT='streets', KITTI_ROOT='kitti_raw', KITTI_ODOMETRY_ROOT='kitti_odometry'
    )
    for key, folder in names.items():
        monkeypatch.setenv(key, str(mmscd_data / folder))

    def load(name='streets', **environment):
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        return load_config(str(STREETS / f'{name}.py'))

    return load


def test_real_streets_have_their_cameras_and_roles(streets):
    cfg = streets()
    train, val = (DATASETS.build(cfg[f'{n}_dataloader'].dataset) for n in ('train', 'val'))
    plus = DATASETS.build(streets('streets_plus').train_dataloader.dataset)
    assert (len(train), len(val), len(plus) - len(train)) == (1456, 51, 248)
    # at the size of the network, as stored; KITTI's is 1242x375 there
    focal = {
        part.dataset_name: round(float(part[0]['inputs']['K'][0, 0]), 1) for part in train.datasets
    }
    assert focal['cityscapes_aachen_seq0003'] == 707.0
    assert focal['karlsruhe_2010_03_09_drive_0019_l'] == 333.0
    assert focal['KITTIRawDataset'] == pytest.approx(721.5 * 640 / 1242, abs=0.1)
    first = train[0]['inputs']
    assert first['frames'].shape == (3, 3, 192, 640)
    for name in ('kitti_2011_09_26_drive_0048_grey', 'pandaset_002_front'):
        cfg = streets(STREETS_TEST=name)
        sample = DATASETS.build(cfg.test_dataloader.dataset)[0]
        assert (sample['data_samples'].gt_depth.data > 0).sum() > 1000
        assert cfg.test_evaluator.protocol == ('default' if 'panda' in name else 'kitti_eigen')


def thumbnails(images):
    """Grey images at 48x16, as vectors of length 1 whose mean is 0."""
    small = np.array([cv2.resize(image, (48, 16)).ravel() for image in images], np.float64)
    small -= small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


def frames_of(dataset):
    """Paths of all frames, and their grey images at a quarter of their size."""
    parts = getattr(dataset, 'datasets', [dataset])
    infos = [part.get_data_info(i) for part in parts for i in range(len(part))]
    paths = sorted({path for info in infos for path in info['frame_paths']})
    return paths, [cv2.imread(path, cv2.IMREAD_REDUCED_GRAYSCALE_4) for path in paths]


@pytest.mark.slow
def test_no_real_frame_is_trained_and_judged_on(streets):
    """Nor the same frame at another size, or in grey: those are alike by .9 and more, frames of
    different streets by .78 at most."""
    cfg = streets('streets_plus')
    trained, images = frames_of(DATASETS.build(cfg.train_dataloader.dataset))
    known = thumbnails(images)
    copies = [cv2.imread(path, cv2.IMREAD_GRAYSCALE)[2:, 3:] for path in trained[::200]]
    assert (thumbnails(copies) * known[::200]).sum(1).min() > 0.9
    tests = [streets(STREETS_TEST=p.name) for p in Path(cfg.streets_root, 'test').iterdir()]
    assert len(tests) == 3
    for loader in (cfg.val_dataloader, *(one.test_dataloader for one in tests)):
        paths, images = frames_of(DATASETS.build(loader.dataset))
        assert not set(paths) & set(trained)
        alike = thumbnails(images) @ known.T
        judged, nearest = np.unravel_index(alike.argmax(), alike.shape)
        assert alike.max() < 0.85, (paths[judged], trained[nearest])

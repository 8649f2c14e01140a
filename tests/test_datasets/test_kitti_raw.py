"""KITTIRawDataset on a tiny tree: samples, cameras and every error message."""

import logging
import shutil

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmscd.datasets import KITTIRawDataset
from mmscd.registry import DATASETS

DATE, DRIVE = '2011_09_26', '2011_09_26_drive_0001_sync'
FOLDER = f'{DATE}/{DRIVE}'
PACK = [dict(type='LoadFrames'), dict(type='PackDepthInputs', meta_keys=('drive', 'frame', 'side'))]


def names(info):
    return ['/'.join(path.split('/')[-3::2]) for path in info['frame_paths']]


def test_mono_stereo_and_both(kitti, split):
    lines = split(f'{FOLDER} 0000000002 l', f'{FOLDER} 3 r')
    mono = KITTIRawDataset(kitti, lines)
    assert len(mono) == 2 and mono.metainfo['dataset_name'] == 'KITTIRawDataset'
    assert names(mono[0]) == [f'image_02/{n:010d}.png' for n in (2, 1, 3)]
    assert 'T_stereo' not in mono[0] and 'gt_depth' not in mono[0]
    stereo = KITTIRawDataset(kitti, lines, frame_ids=(0, 's'))
    assert names(stereo[0]) == [f'image_0{camera}/0000000002.png' for camera in (2, 3)]
    assert names(stereo[1]) == [f'image_0{camera}/0000000003.png' for camera in (3, 2)]
    both = KITTIRawDataset(kitti, lines, frame_ids=(0, -1, 1, 's'), pipeline=PACK)
    sample = both[1]
    assert sample['inputs']['frames'].shape == (4, 3, 24, 64)
    meta = sample['data_samples']
    assert meta.frame_ids == [0, -1, 1, 's'] and (meta.drive, meta.frame, meta.side) == (
        DRIVE,
        3,
        'r',
    )
    stored = cv2.imread(f'{kitti}/{FOLDER}/image_02/data/0000000003.png')[:, :, ::-1]
    assert np.array_equal(sample['inputs']['frames'][3].numpy(), stored.transpose(2, 0, 1))


def test_stereo_transform_sign_and_side(kitti, split):
    dataset = KITTIRawDataset(kitti, split(f'{FOLDER} 2 l', f'{FOLDER} 2 r'), frame_ids=(0, 's'))
    # t_i solves K t_i = P_i[:, 3]; here t_03 - t_02 = (-18 - 2) / 40 along x
    left, right = dataset[0]['T_stereo'], dataset[1]['T_stereo']
    assert left[:3, 3] == pytest.approx([-0.5, 0, 0]) and right[:3, 3] == pytest.approx([0.5, 0, 0])
    assert np.allclose(left @ right, np.eye(4)) and np.array_equal(left[:3, :3], np.eye(3))
    assert dataset[0]['K_ori'].tolist() == [[40, 0, 31], [0, 40, 12], [0, 0, 1]]


def test_indexing_without_split(kitti):
    dataset = KITTIRawDataset(kitti)
    assert len(dataset) == 8  # frames 1..4 of two cameras
    assert {(info['frame'], info['side']) for info in dataset} == {
        (frame, side) for frame in range(1, 5) for side in 'lr'
    }
    assert len(KITTIRawDataset(kitti, sides=('l',), frame_ids=(0,), drives=[DRIVE])) == 6
    assert len(KITTIRawDataset(kitti, drives=[FOLDER], frame_ids=(0, 2))) == 8
    assert len(KITTIRawDataset(kitti, sides=('r',), frame_ids=(0,), test_mode=True)) == 4
    with pytest.raises(FileNotFoundError, match="drive '2011_09_26_drive_0002_sync' is not under"):
        KITTIRawDataset(kitti, drives=['2011_09_26_drive_0002_sync'])


def test_filters_of_a_split(kitti, split):
    lines = split(f'{FOLDER} 2 l', '', f'{FOLDER} 3 r', '2011_09_26/other_sync 7 l')
    assert len(KITTIRawDataset(kitti, lines, drives=[DRIVE])) == 2
    assert len(KITTIRawDataset(kitti, lines, drives=[FOLDER], sides=('r',))) == 1
    with pytest.raises(ValueError, match=r"no line of the drives \['typo_sync'\]"):
        KITTIRawDataset(kitti, lines, drives=[DRIVE, 'typo_sync'])


def test_png_and_jpg(kitti, split):
    folder = kitti / FOLDER / 'image_03/data'
    for path in sorted(folder.iterdir()):
        cv2.imwrite(str(path.with_suffix('.jpg')), cv2.imread(str(path)))
    lines = split(f'{FOLDER} 2 r')
    both = dict(ann_file=lines, frame_ids=(0, 's'))
    # on a tie the lossless ones
    assert names(KITTIRawDataset(kitti, **both)[0])[0].endswith('.png')
    jpg = KITTIRawDataset(kitti, lines, frame_ids=(0,), img_ext='jpg')[0]
    assert names(jpg) == ['image_03/0000000002.jpg']
    for path in folder.glob('*.png'):
        path.unlink()
    assert names(KITTIRawDataset(kitti, **both)[0]) == [
        'image_03/0000000002.jpg',
        'image_02/0000000002.png',
    ]


@pytest.mark.parametrize(
    'line',
    [
        *('2011_09_26_drive_0001_sync 2 l', f'{FOLDER} 2', f'{FOLDER} x l', f'{FOLDER} 2 m'),
        f'{FOLDER} {"9" * 5000} l',
    ],
)
def test_malformed_line(kitti, split, line):
    path = split(f'{FOLDER} 2 l', line)
    with pytest.raises(ValueError, match=r'split.txt:2: expected `date/drive frame side`') as error:
        KITTIRawDataset(kitti, path)
    assert line in str(error.value) and 'correct the line' in str(error.value)


@pytest.mark.parametrize('line', ['../other 2 l', '/etc/passwd 2 l', 'a/.. 2 l'])
def test_a_split_cannot_lead_out_of_the_data(kitti, split, line):
    path = split(f'{FOLDER} 2 l', '', line)
    with pytest.raises(ValueError, match=f"split.txt:3: '{line}' leads out of data_root; name"):
        KITTIRawDataset(kitti, path)


def test_missing_neighbour(kitti, split):
    path = split(f'{FOLDER} 2 l', f'{FOLDER} 5 l', f'{FOLDER} 0 r')
    with pytest.raises(FileNotFoundError) as error:
        KITTIRawDataset(kitti, path)
    text = str(error.value)
    assert '2 of 3 samples are incomplete' in text and "missing='drop'" in text
    assert 'split.txt:2: frame id 1: no 0000000006.png|.jpg|.jpeg in' in text
    assert 'split.txt:3: frame id -1' in text
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        dataset = KITTIRawDataset(kitti, path, missing='drop')
    finally:
        logger.removeHandler(handler)
    assert len(dataset) == 1
    warnings = [r.getMessage() for r in records if r.levelno == logging.WARNING]
    assert len(warnings) == 1 and '2 of 3 samples are incomplete and left out' in warnings[0]


def test_missing_files(kitti, split):
    lines = split(f'{FOLDER} 2 l', f'{DATE}/gone_sync 2 l')
    with pytest.raises(FileNotFoundError, match=r'split.txt:2: frame id 0: folder .*gone_sync'):
        KITTIRawDataset(kitti, lines)
    with pytest.raises(FileNotFoundError, match=r'ground truth: no 0000000005.bin in'):
        KITTIRawDataset(kitti, split(f'{FOLDER} 5 l'), frame_ids=(0,), test_mode=True)
    with pytest.raises(FileNotFoundError, match='nowhere.txt.*prepare_kitti_splits.py'):
        KITTIRawDataset(kitti, 'nowhere.txt')
    with pytest.raises(FileNotFoundError, match='data_root .*nowhere.* does not exist'):
        KITTIRawDataset(kitti / 'nowhere')
    with pytest.raises(ValueError, match='split.txt has no samples'):
        KITTIRawDataset(kitti, split(f'{FOLDER} 2 l'), sides=('r',))


def test_calibration_errors(kitti, split):
    lines = split(f'{FOLDER} 2 l')
    path = kitti / DATE / 'calib_cam_to_cam.txt'
    good = path.read_text()
    path.write_text(good.replace('P_rect_02: 40 0', 'P_rect_02: forty 0'))
    with pytest.raises(ValueError, match=r'calib_cam_to_cam.txt:4: expected `key: number'):
        KITTIRawDataset(kitti, lines)
    path.write_text(good.replace('P_rect_02', 'P_rect_05'))
    with pytest.raises(ValueError, match='P_rect_02: expected 12 finite numbers, got nothing'):
        KITTIRawDataset(kitti, lines)
    path.write_text(good.replace('P_rect_02: 40 0', 'P_rect_02: 40'))
    with pytest.raises(ValueError, match=r'P_rect_02: expected 12 finite.*got \[40\.0, 31\.0'):
        KITTIRawDataset(kitti, lines)
    path.write_text(good.replace('P_rect_02: 40 0', 'P_rect_02: nan 0'))
    with pytest.raises(ValueError, match=r'P_rect_02: expected 12 finite numbers, got \[nan'):
        KITTIRawDataset(kitti, lines)
    path.write_text(good.replace('P_rect_03: 40', 'P_rect_03: 41'))
    assert len(KITTIRawDataset(kitti, lines)) == 1
    with pytest.raises(ValueError, match='different camera matrices'):
        KITTIRawDataset(kitti, lines, frame_ids=(0, 's'))
    path.write_text(good.replace('P_rect_03', 'P_rect_05'))
    assert len(KITTIRawDataset(kitti, lines)) == 1
    with pytest.raises(ValueError, match='P_rect_03: expected 12 finite numbers, got nothing'):
        KITTIRawDataset(kitti, lines, frame_ids=(0, 's'))
    path.write_text(good.replace('6.4e+01 2.4e+01', '128 48'))
    with pytest.raises(ValueError, match=r'02.png is 64x24, but .*cam_to_cam\.txt is for 128x48'):
        KITTIRawDataset(kitti, lines)
    path.write_text(good)
    shutil.move(kitti / DATE / 'calib_velo_to_cam.txt', kitti / 'away.txt')
    assert len(KITTIRawDataset(kitti, lines)) == 1
    with pytest.raises(FileNotFoundError, match='calib_velo_to_cam.txt does not exist; unpack'):
        KITTIRawDataset(kitti, lines, test_mode=True)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='calib_cam_to_cam.txt does not exist; unpack'):
        KITTIRawDataset(kitti, lines)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(frame_ids=(-1, 0, 1)), 'must start with the target 0'),
        (dict(frame_ids=()), 'must start with the target 0'),
        (dict(frame_ids=(0, 1, 1)), 'duplicates'),
        (dict(frame_ids=(0, 0.5)), 'whole numbers .* got 0.5'),
        (dict(frame_ids=(0, 't')), "got 't'"),
        (dict(missing='skip'), "'error' or 'drop'"),
        (dict(gt='lidar'), "gt must be .* got 'lidar'"),
        (dict(gt=None, with_gt=True), 'with_gt=True needs'),
        (dict(depth_axis='z'), "got 'z'"),
        (dict(sides=('x',)), "sides must be a list out of .'l', 'r'."),
        (dict(drives='0001'), 'drives must be a list such as'),
    ],
)
def test_bad_options(kitti, options, message):
    with pytest.raises(ValueError, match=message):
        DATASETS.build(dict(type='KITTIRawDataset', data_root=str(kitti), **options))


def test_unreadable_image_is_an_error_and_not_another_sample(kitti, split):
    dataset = KITTIRawDataset(kitti, split(f'{FOLDER} 2 l'), pipeline=PACK)
    path = kitti / FOLDER / 'image_02/data/0000000003.png'
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OSError, match='0000000003.png is truncated or unreadable'):
        dataset[0]
    path.write_bytes(b'')
    with pytest.raises(OSError, match='0000000003.png is empty'):
        dataset[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match='0000000003.png does not exist'):
        dataset[0]


def test_improved_ground_truth(kitti, split, tmp_path):
    lines = split(f'{FOLDER} 2 l')
    stored = np.array([[0, 256, 384], [1, 20480, 65535]], np.uint16)
    options = dict(ann_file=lines, frame_ids=(0,), test_mode=True, gt='improved')
    with pytest.raises(FileNotFoundError, match='annotated.zip and set improved_gt_root'):
        KITTIRawDataset(kitti, **options)
    maps = 'proj_depth/groundtruth/image_02/0000000002.png'
    for number, place in enumerate((DRIVE, f'train/{DRIVE}', f'val/{DRIVE}', FOLDER)):
        root = tmp_path / f'improved{number}'
        (root / place / maps).parent.mkdir(parents=True)
        cv2.imwrite(str(root / place / maps), stored)
        depth = KITTIRawDataset(kitti, improved_gt_root=str(root), **options)[0]['gt_depth']
        known = np.where(stored == 65535, 0, stored) / np.float32(256)
        assert depth.dtype == np.float32 and np.array_equal(depth, known)
    dataset = KITTIRawDataset(kitti, improved_gt_root=str(root), **options)
    cv2.imwrite(str(root / place / maps), stored.astype(np.uint8))
    with pytest.raises(ValueError, match='single-channel 16-bit PNG, got uint8'):
        dataset[0]

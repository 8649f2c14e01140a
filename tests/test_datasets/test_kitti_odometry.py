"""KITTI odometry: sequence 04, and bad files."""

import shutil

import cv2
import numpy as np
import pytest

from mmscd.datasets import KITTIOdometryDataset, LoadFrames
from mmscd.datasets.kitti_odometry import read_poses

CALIBRATION = """P0: 20 0 15 0 0 20 9 0 0 0 1 0
P2: 20 0 15 1 0 20 9 0 0 0 1 0
P3: 20 0 15 -9 0 20 9 0 0 0 1 0
"""


def test_real_sequence(mmscd_data):
    dataset = KITTIOdometryDataset(
        str(mmscd_data / 'kitti_odometry'), ['4'], frame_ids=(0, -1, 1), with_pose=True
    )
    assert len(dataset) == 49  # 51 frames, both ends lack a neighbour
    first, second = dataset.get_data_info(0), dataset.get_data_info(1)
    assert (first['sequence'], first['frame'], second['frame']) == ('04', 1, 2)
    assert [path[-10:] for path in first['frame_paths']] == [
        '000001.jpg',
        '000000.jpg',
        '000002.jpg',
    ]
    np.testing.assert_allclose(first['K_ori'][[0, 0, 1], [0, 2, 2]], [707.0912, 601.8873, 183.1104])
    # the car drives forward, more than a metre per frame
    motion = np.linalg.inv(first['gt_pose']) @ second['gt_pose']
    assert 1 < motion[2, 3] < 2 and np.abs(motion[:2, 3]).max() < 0.1
    assert LoadFrames()(first)['frames'][0].shape == (370, 1226, 3)


def test_poses_equal_numpys_reading(mmscd_data):
    path = mmscd_data / 'kitti_odometry/poses/04.txt'
    poses = read_poses(path)
    np.testing.assert_array_equal(poses[:, :3].reshape(-1, 12), np.loadtxt(path))
    np.testing.assert_array_equal(poses[:, 3], np.tile([0, 0, 0, 1], (len(poses), 1)))


def test_blank_lines_end_a_pose_file_but_hide_no_frame(tmp_path):
    path, line = tmp_path / '04.txt', '1 0 0 0 0 1 0 0 0 0 1 1.3\n'
    path.write_text(line + line + '\n \n')
    poses = read_poses(path)
    assert poses.shape == (2, 4, 4) and poses[1, 2, 3] == 1.3
    path.write_text(line + '\n' + line)
    with pytest.raises(ValueError, match=r'04\.txt:2: expected 12 finite numbers'):
        read_poses(path)


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / 'sequences/09'
    for camera in (2, 3):
        (folder / f'image_{camera}').mkdir(parents=True)
        for frame in range(3):
            path = folder / f'image_{camera}/{frame:06d}.png'
            cv2.imwrite(str(path), np.full((18, 30, 3), 80, np.uint8))
    (folder / 'calib.txt').write_text(CALIBRATION)
    (tmp_path / 'poses').mkdir()
    (tmp_path / 'poses/09.txt').write_text('1 0 0 0 0 1 0 0 0 0 1 0\n' * 3)
    return tmp_path


def test_stereo_and_ends(tiny):
    info = KITTIOdometryDataset(str(tiny), frame_ids=(0, 's')).get_data_info(2)
    assert info['frame_paths'][1].endswith('image_3/000002.png')
    np.testing.assert_allclose(info['T_stereo'][:3, 3], [-0.5, 0, 0])
    dataset = KITTIOdometryDataset(str(tiny), camera=3, frame_ids=(0, 1))
    assert len(dataset) == 2 and 'image_3' in dataset.get_data_info(0)['img_path']
    assert 'gt_depth' not in KITTIOdometryDataset(str(tiny), test_mode=True)[0]


def test_bad_input_is_named(tiny):
    def build(**options):
        return KITTIOdometryDataset(str(tiny), frame_ids=(0,), **options)

    with pytest.raises(ValueError, match='no ground-truth depth'):
        build(with_gt=True)
    with pytest.raises(FileNotFoundError, match='has no sequence 10; unpack'):
        build(sequences=['10'])
    poses = tiny / 'poses/09.txt'
    poses.write_text('1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 nan 0 1 0 0 0 0 1 0\n')
    with pytest.raises(ValueError, match=r'09\.txt:2: expected 12 finite numbers'):
        build(with_pose=True)
    poses.write_text('1 0 0 0 0 1 0 0 0 0 1 0\n')
    with pytest.raises(ValueError, match='has 1 lines, but there is a frame 2'):
        build(with_pose=True)
    poses.unlink()
    with pytest.raises(FileNotFoundError, match='with_pose=False'):
        build(with_pose=True)
    calibration = tiny / 'sequences/09/calib.txt'
    calibration.write_text(CALIBRATION.replace('P2: 20', 'P2: nan'))
    with pytest.raises(ValueError, match=r'calib\.txt: P2: expected 12 finite numbers, got \[nan'):
        build()
    calibration.write_text('P2 20\n')
    with pytest.raises(ValueError, match=r'calib\.txt:1: expected `key: number'):
        build()
    shutil.rmtree(tiny / 'sequences/09/image_2')
    with pytest.raises(FileNotFoundError, match='image_2 does not exist'):
        build()

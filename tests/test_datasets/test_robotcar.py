"""RobotCar: a tiny tree in the layout of the published evaluations."""

import cv2
import numpy as np
import pytest

from mmscd.datasets import RobotCarDataset

DAY, NIGHT = '2014-12-09-13-21-02', '2014-12-16-18-44-24'


@pytest.fixture
def tiny(tmp_path):
    for drive in (DAY, NIGHT):
        folder = tmp_path / drive
        (folder / 'rgb').mkdir(parents=True)
        (folder / 'depth').mkdir()
        for stamp in range(100, 106):
            cv2.imwrite(str(folder / f'rgb/{stamp}.png'), np.full((24, 32, 3), 50, np.uint8))
        np.save(folder / 'intrinsic.npy', np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]]))
        (folder / 'train_split.txt').write_text('100\n101\n102\n-----\n103\n104\n105\n')
        (folder / 'test_split.txt').write_text('101\n104\n')
    depth = np.zeros((24, 32))
    depth[3, 4] = 17.5
    for stamp in (101, 104):
        np.save(tmp_path / f'{NIGHT}/depth/{stamp}.npy', depth)
    return tmp_path


def test_test_images(tiny):
    dataset = RobotCarDataset(str(tiny), frame_ids=(0,), test_mode=True)
    info = dataset.get_data_info(1)
    assert len(dataset) == 2 and info['condition'] == 'night' and info['stamp'] == '104'
    assert info['gt_depth'].dtype == np.float32 and info['gt_depth'][3, 4] == 17.5
    np.testing.assert_array_equal(info['K_ori'], [[30, 0, 16], [0, 30, 12], [0, 0, 1]])


def test_runs_do_not_mix(tiny):
    dataset = RobotCarDataset(str(tiny), drive=DAY, part='train')
    paths = [[p[-7:-4] for p in dataset.get_data_info(i)['frame_paths']] for i in range(2)]
    assert len(dataset) == 2 and paths == [['101', '100', '102'], ['104', '103', '105']]
    assert dataset.get_data_info(0)['condition'] == 'day'


def test_bad_input_is_named(tiny, split):
    def build(*args, **options):
        return RobotCarDataset(str(tiny), *args, frame_ids=(0,), test_mode=True, **options)

    with pytest.raises(ValueError, match="set condition='day' or 'night'"):
        build(drive='2015-01-01-00-00-00')
    with pytest.raises(ValueError, match=r"split\.txt:2: expected a time stamp.*'x1'"):
        build(split('101', 'x1'))
    with pytest.raises(FileNotFoundError, match=r'split\.txt:1: no 999\.png in'):
        build(split('999'))
    path = tiny / f'{NIGHT}/depth/101.npy'
    np.save(path, np.full((24, 32), np.nan))
    with pytest.raises(ValueError, match=r'101\.npy must hold one map .*finite'):
        build()[0]
    path.write_bytes(b'')
    with pytest.raises(OSError, match=r'101\.npy cannot be read \(it is empty\)'):
        build()[0]
    np.save(tiny / f'{NIGHT}/intrinsic.npy', np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match=r'intrinsic\.npy: expected 3 x 3 finite numbers'):
        build()
    (tiny / f'{NIGHT}/intrinsic.npy').unlink()
    with pytest.raises(FileNotFoundError, match='stereo_wide_left.txt'):
        build()

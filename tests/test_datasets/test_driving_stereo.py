"""DrivingStereo: a tiny tree in the layout of the weather archives."""

import cv2
import numpy as np
import pytest

from mmscd.datasets import DrivingStereoDataset

SEQUENCE = '2018-10-25-07-37-26'
NAME = f'{SEQUENCE}_2018-10-25-07-45-25-505'
CALIBRATION = """P_rect_101: 50 0 15 0 0 50 9 0 0 0 1 0
P_rect_103: 50 0 15 -27 0 50 9 0 0 0 1 0
"""


@pytest.fixture
def tiny(tmp_path):
    depth = np.zeros((20, 40), np.uint16)
    depth[2, 3] = 256 * 30
    for weather in ('sunny', 'cloudy', 'rainy', 'foggy'):
        for kind in ('left-image', 'right-image', 'depth-map'):
            for size, extension in (('half', 'jpg'), ('full', 'png')):
                folder = tmp_path / weather / f'{kind}-{size}-size'
                folder.mkdir(parents=True)
                picture = np.full((20, 40, 3), 60, np.uint8) if kind != 'depth-map' else depth
                extension = extension if kind != 'depth-map' else 'png'
                cv2.imwrite(str(folder / f'{NAME}.{extension}'), picture)
    return tmp_path


@pytest.mark.parametrize('size', ['half', 'full'])
def test_weathers(tiny, size):
    dataset = DrivingStereoDataset(str(tiny), size=size, test_mode=True)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['condition'] for info in infos] == ['sunny', 'cloudy', 'rainy', 'foggy']
    assert infos[3]['gt_depth'][2, 3] == 30 and np.count_nonzero(infos[3]['gt_depth']) == 1
    assert infos[0]['K_ori'][0, 0] == 1003.556 * (2 if size == 'full' else 1)
    assert infos[0]['K_ori'][0, 2] == 19.5
    assert len(DrivingStereoDataset(str(tiny), size=size, weathers=['rainy'])) == 1


def test_stereo_takes_the_calibration_of_the_sequence(tiny):
    with pytest.raises(FileNotFoundError, match='unpack the calibration archive'):
        DrivingStereoDataset(str(tiny), frame_ids=(0, 's'))
    folder = tiny / 'calib/full-image-calib'
    folder.mkdir(parents=True)
    (folder / f'{SEQUENCE}.txt').write_text(CALIBRATION)
    info = DrivingStereoDataset(str(tiny), frame_ids=(0, 's')).get_data_info(0)
    assert 'right-image-full-size' in info['frame_paths'][1]
    np.testing.assert_allclose(info['T_stereo'][:3, 3], [-0.54, 0, 0])
    np.testing.assert_array_equal(info['K_ori'], [[50, 0, 15], [0, 50, 9], [0, 0, 1]])


def test_split_and_bad_input(tiny, split):
    dataset = DrivingStereoDataset(str(tiny), split(f'foggy/{NAME}', f'rainy {NAME}.png'))
    assert [dataset.get_data_info(i)['condition'] for i in range(2)] == ['foggy', 'rainy']
    with pytest.raises(ValueError, match=r"split\.txt:1: expected `<weather>/<name>`.*'snowy/x'"):
        DrivingStereoDataset(str(tiny), split('snowy/x'))
    with pytest.raises(FileNotFoundError, match=r'split\.txt:1: no 2018-1\.png in'):
        DrivingStereoDataset(str(tiny), split('foggy/2018-1'))
    with pytest.raises(ValueError, match='no video'):
        DrivingStereoDataset(str(tiny), frame_ids=(0, -1, 1))
    path = tiny / f'foggy/depth-map-full-size/{NAME}.png'
    cv2.imwrite(str(path), np.full((20, 40), 7, np.uint8))
    with pytest.raises(ValueError, match=r'505\.png must be a single-channel 16-bit PNG'):
        DrivingStereoDataset(str(tiny), weathers=['foggy'], test_mode=True)[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match='1 of 4 samples are incomplete'):
        DrivingStereoDataset(str(tiny), test_mode=True)

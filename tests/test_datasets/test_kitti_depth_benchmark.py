"""KITTI depth-prediction benchmark: a tiny tree in the official layout."""

import cv2
import numpy as np
import pytest

from mmscd.datasets import KITTIDepthBenchmarkDataset

NAME = '2011_09_26_drive_0002_sync_{}_0000000005_image_02'


@pytest.fixture
def tiny(tmp_path):
    root = tmp_path / 'depth_selection'
    val, test = (root / p for p in ('val_selection_cropped', 'test_depth_prediction_anonymous'))
    for folder in (val / 'image', val / 'groundtruth_depth', val / 'intrinsics'):
        folder.mkdir(parents=True)
    for folder in (test / 'image', test / 'intrinsics'):
        folder.mkdir(parents=True)
    picture = np.full((16, 40, 3), 70, np.uint8)
    text = '5e+01 0 2.1e+01 0 5.1e+01 8 0 0 1\n'
    cv2.imwrite(str(val / f'image/{NAME.format("image")}.png'), picture)
    (val / f'intrinsics/{NAME.format("image")}.txt').write_text(text)
    depth = np.zeros((16, 40), np.uint16)
    depth[3, 4] = 256 * 12 + 128
    cv2.imwrite(str(val / f'groundtruth_depth/{NAME.format("groundtruth_depth")}.png'), depth)
    for i in range(2):
        cv2.imwrite(str(test / f'image/{i:010d}.png'), picture)
        (test / f'intrinsics/{i:010d}.txt').write_text(text)
    return tmp_path


def test_both_parts(tiny):
    dataset = KITTIDepthBenchmarkDataset(str(tiny), test_mode=True)
    info = dataset.get_data_info(0)
    assert len(dataset) == 1
    np.testing.assert_array_equal(info['K_ori'], [[50, 0, 21], [0, 51, 8], [0, 0, 1]])
    assert info['gt_depth'][3, 4] == 12.5 and np.count_nonzero(info['gt_depth']) == 1
    part = 'test_depth_prediction_anonymous'
    test = KITTIDepthBenchmarkDataset(str(tiny / 'depth_selection'), part, test_mode=True)
    names = [test.get_data_info(i)['img_path'][-14:] for i in range(2)]
    assert names == ['0000000000.png', '0000000001.png'] and 'gt_depth' not in test[0]


def test_bad_input_is_named(tiny):
    val = tiny / 'depth_selection/val_selection_cropped'
    with pytest.raises(ValueError, match='single images'):
        KITTIDepthBenchmarkDataset(str(tiny), frame_ids=(0, 1))
    with pytest.raises(ValueError, match="part must be one of .*'val'"):
        KITTIDepthBenchmarkDataset(str(tiny), 'val')
    path = val / f'intrinsics/{NAME.format("image")}.txt'
    path.write_text('50 0 21 0 nan 8 0 0 1')
    with pytest.raises(ValueError, match=r'image_02\.txt: expected 3 x 3|expected 9 finite'):
        KITTIDepthBenchmarkDataset(str(tiny))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'no .*image_02\.txt in .*intrinsics'):
        KITTIDepthBenchmarkDataset(str(tiny))
    with pytest.raises(FileNotFoundError, match='unpack data_depth_selection.zip'):
        KITTIDepthBenchmarkDataset(str(val))

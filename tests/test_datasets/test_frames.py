"""Frame ids and what they stand for."""

import numpy as np
import pytest

from mmscd.datasets import BaseDepthDataset
from mmscd.datasets.frames import check_frame_ids, parse_frame_id, windows


def test_windows_leave_the_ends_out():
    assert list(windows(4, (0, -1, 1))) == [[1, 0, 2], [2, 1, 3]]
    assert list(windows(2, (0,))) == [[0], [1]]
    assert list(windows(3, (0, 2))) == [[0, 2]] and not list(windows(1, (0, -1)))


def test_what_a_data_set_lacks_is_said():
    assert check_frame_ids([0, 's'], video=False) == (0, 's')
    for options, ids, text in (
        (dict(video=False), (0, 1), r"no video: frame_ids is \(0,\) or \(0, 's'\)"),
        (dict(video=False, stereo=False), (0, 1), 'single images'),
        (dict(stereo=False), (0, 's'), 'no stereo partner'),
    ):
        with pytest.raises(ValueError, match=text):
            check_frame_ids(ids, **options)
    assert [parse_frame_id(text) for text in ('0', '-1', 's')] == [0, -1, 's']


class Numbers(BaseDepthDataset):
    """Two samples, of which the second has no ground truth."""

    has_splits = False

    def list_samples(self, index):
        for i in range(2):
            files = dict(frame_paths=[f'{self.data_root}/{i}.png'], calib_path=None)
            yield str(i), dict(files, gt_path=f'{self.data_root}/{i}.npy', K=np.eye(3)), None

    def check_camera(self, info):
        pass


def test_every_path_of_a_sample_is_looked_for(tmp_path):
    for name in ('0.png', '1.png'):
        (tmp_path / name).touch()
    np.save(tmp_path / '0.npy', np.full((2, 3), 7))
    assert len(Numbers(tmp_path, frame_ids=(0,))) == 2
    dataset = Numbers(tmp_path, frame_ids=(0,), test_mode=True)
    assert dataset.incomplete == [f'1: no 1.npy in {tmp_path}']
    info = dataset[0]
    assert (info['gt_depth'] == 7).all() and info['gt_depth'].dtype == np.float32
    with pytest.raises(ValueError, match='ann_file is not used by Numbers'):
        Numbers(tmp_path, 'split.txt')

"""A KITTI-C on disk; `tests/test_tools/test_robustness_tool.py` reads one."""

import cv2
import numpy as np
import pytest

from mmscd.corruptions import corrupt
from mmscd.robustness.export import KittiC

DRIVE = '2011_09_26/2011_09_26_drive_0001_sync'


def test_sheet_shows_all(tiny_kitti):
    sheet = KittiC(tiny_kitti, drives=[DRIVE], size=(80, 48)).draw_sheet(cell_width=80)
    # 18 rows of a head and a picture, clean and 5 severities, gaps of 4 and 10
    assert sheet.shape == (18 * (24 + 48) + 17 * 4, 6 * 80 + 5 * 10, 3)
    left, right = sheet[24:72, :80], sheet[24:72, 90:170]
    assert (left != right).any() and (sheet[-48:, :80] == left).all()


def test_stored_images_are_those_of_corrupt(tiny_kitti, tmp_path):
    options = dict(size=None, corruptions=('fog', 'contrast'), severities=(2,), seed=5)
    assert KittiC(tiny_kitti, drives=[DRIVE], **options).write(tmp_path) == 3 * 14
    image_id = f'{DRIVE}/image_02/data/0000000003'
    stored = cv2.imread(str(tiny_kitti / f'{image_id}.png'))[..., ::-1]
    for name, expected in (
        ('clean', stored),
        ('fog/2', corrupt(np.ascontiguousarray(stored), 'fog', 2, 5, image_id)),
    ):
        found = cv2.imread(str(tmp_path / name / 'kitti_data' / f'{image_id}.png'))[..., ::-1]
        np.testing.assert_array_equal(found, expected)
    assert KittiC(tiny_kitti, drives=[DRIVE], **options).write(tmp_path) == 0
    with pytest.raises(ValueError, match='begun with'):
        KittiC(tiny_kitti, drives=[DRIVE], **options, suffix='jpg').write(tmp_path)

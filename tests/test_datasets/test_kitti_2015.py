"""KITTI 2015: the real pair, and a tiny tree with calibration files."""

import cv2
import numpy as np
import pytest

from mmscd.datasets import KITTI2015Dataset, LoadFrames

CALIBRATION = """calib_time: 09-Jan-2012 14:00:15
P_rect_02: 100 0 30 5.0 0 100 10 0.2 0 0 1 0.01
P_rect_03: 100 0 30 -45.0 0 100 10 0.2 0 0 1 0.01
"""


def test_real_pair(mmscd_data):
    """The truth moves the right image onto the left one, at the value the PNG stores."""
    root = mmscd_data / 'layout_samples/kitti2015'
    dataset = KITTI2015Dataset(str(root), frame_ids=(0, 's'), test_mode=True)
    results = LoadFrames()(dataset.get_data_info(0))
    left, right = (frame.astype(np.float64) for frame in results['frames'])
    stored = cv2.imread(str(root / 'training/disp_occ_0/000046_10.png'), cv2.IMREAD_UNCHANGED)
    depth = results['gt_depth']
    assert depth.shape == (375, 1242) and depth.dtype == np.float32
    np.testing.assert_array_equal(depth > 0, stored > 0)
    assert depth[depth > 0].mean() == pytest.approx(
        np.mean(721.5377 * 0.5327 / (stored[stored > 0] / 256.0)), rel=1e-6
    )
    # x_right = K (X + t) by the calibrated pose, not by the disparity
    v, u = np.nonzero(depth)
    K, T = results['K'], results['T_stereo']
    moved = np.round(u + K[0, 0] * T[0, 3] / depth[v, u]).astype(int)
    inside = moved >= 0
    u, v, moved = u[inside], v[inside], moved[inside]
    warped = np.abs(right[v, moved] - left[v, u]).mean()
    assert warped < 0.5 * np.abs(right[v, u] - left[v, u]).mean()


@pytest.fixture
def tiny(tmp_path):
    """Two scenes, the second without a right image."""
    folder = tmp_path / 'training'
    disparity = np.zeros((20, 62), np.uint16)
    disparity[5, 7], disparity[6, 8] = 256 * 10, 128
    for name in ('image_2', 'image_3', 'disp_occ_0', 'disp_noc_0', 'calib_cam_to_cam'):
        (folder / name).mkdir(parents=True)
    for scene in ('000000', '000001'):
        (folder / f'calib_cam_to_cam/{scene}.txt').write_text(CALIBRATION)
        for name in ('image_2/{}_10', 'image_2/{}_11', 'image_3/{}_10'):
            path = folder / (name.format(scene) + '.png')
            cv2.imwrite(str(path), np.full((20, 62, 3), 100, np.uint8))
        cv2.imwrite(str(folder / f'disp_occ_0/{scene}_10.png'), disparity)
    (folder / 'image_3/000001_10.png').unlink()
    return tmp_path


def test_depth_of_disparity(tiny):
    dataset = KITTI2015Dataset(str(tiny), test_mode=True)
    assert len(dataset) == 2
    depth = dataset.get_data_info(0)['gt_depth']
    # baseline (5 + 45) / 100 m, focal length 100
    assert (depth[5, 7], depth[6, 8]) == (5.0, 100.0) and np.count_nonzero(depth) == 2
    published = KITTI2015Dataset(str(tiny), baseline=0.54, test_mode=True)
    assert published.get_data_info(0)['gt_depth'][5, 7] == pytest.approx(5.4)


def test_frames_and_stereo(tiny):
    info = KITTI2015Dataset(str(tiny), frame_ids=(0, 1, 's')).get_data_info(0)
    assert [p[-20:] for p in info['frame_paths']] == [
        'image_2/000000_10.png'[-20:],
        'image_2/000000_11.png'[-20:],
        'image_3/000000_10.png'[-20:],
    ]
    assert 'image_3' in info['frame_paths'][2]
    np.testing.assert_allclose(info['T_stereo'][:3, 3], [-0.5, 0, 0])
    np.testing.assert_array_equal(info['K_ori'], [[100, 0, 30], [0, 100, 10], [0, 0, 1]])


def test_bad_input_is_named(tiny, split):
    with pytest.raises(FileNotFoundError, match=r'split\.txt:2: no 000001_10\.png in .*image_3'):
        KITTI2015Dataset(str(tiny), split('000000', '000001'), frame_ids=(0, 's'))
    with pytest.raises(ValueError, match=r"split\.txt:1: expected six digits .* '46'"):
        KITTI2015Dataset(str(tiny), split('46'))
    with pytest.raises(ValueError, match='has no public disparities'):
        KITTI2015Dataset(str(tiny), part='testing', with_gt=True)
    path = tiny / 'training/calib_cam_to_cam/000000.txt'
    path.write_text(CALIBRATION.replace('100 0 30 5.0', 'nan 0 30 5.0'))
    with pytest.raises(ValueError, match=r'000000\.txt: P_rect_02: expected 12 finite.*nan'):
        KITTI2015Dataset(str(tiny))
    path.write_text(CALIBRATION)
    cv2.imwrite(str(tiny / 'training/disp_occ_0/000000_10.png'), np.ones((20, 62), np.uint8))
    dataset = KITTI2015Dataset(str(tiny), test_mode=True)
    with pytest.raises(ValueError, match=r'000000_10\.png must be .*16-bit PNG, got uint8'):
        dataset[0]
    (tiny / 'training/image_2/000000_10.png').write_bytes(b'')
    with pytest.raises(OSError, match=r'image_2/000000_10\.png is empty; copy or download'):
        KITTI2015Dataset(str(tiny))


def test_nominal_calibration_only_for_known_sizes(tiny):
    for path in (tiny / 'training/calib_cam_to_cam').iterdir():
        path.unlink()
    (tiny / 'training/calib_cam_to_cam').rmdir()
    with pytest.raises(ValueError, match='62 pixels wide, KITTI 2015 images have'):
        KITTI2015Dataset(str(tiny))

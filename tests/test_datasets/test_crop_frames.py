"""The fixed crop: frames, truth, principal point and size move together."""

import numpy as np
import pytest

from mmscd.datasets import CropFrames


def make_results(shape=(20, 30), gt_shape=None):
    frame = np.arange(shape[0] * shape[1] * 3, dtype=np.uint8).reshape(*shape, 3)
    depth = np.arange(np.prod(gt_shape or shape), dtype=np.float32).reshape(gt_shape or shape)
    K = np.array([[50.0, 0, 14], [0, 51, 9], [0, 0, 1]])
    return dict(
        frames=[frame, frame + 1],
        ori_shape=shape,
        img_shape=shape,
        K=K,
        K_ori=K.copy(),
        camera_size=shape[::-1],
        gt_depth=depth,
        img_path='a.png',
    )


@pytest.mark.parametrize(
    ('crop', 'bounds'),
    [
        (CropFrames(window=(4, 16, None, 25)), (4, 16, 0, 25)),
        (CropFrames(window=(0, 0.75, 0.1, 1.0)), (0, 15, 3, 30)),
        (CropFrames(window=(0, 0.75, 0, 1)), (0, 15, 0, 30)),
        (CropFrames(size=(10, 8)), (6, 14, 10, 20)),
    ],
)
def test_everything_moves(crop, bounds):
    before, results = make_results(), crop(make_results())
    top, bottom, left, right = bounds
    for old, new in zip(before['frames'], results['frames'], strict=True):
        np.testing.assert_array_equal(new, old[top:bottom, left:right])
    np.testing.assert_array_equal(results['gt_depth'], before['gt_depth'][top:bottom, left:right])
    assert results['ori_shape'] == results['img_shape'] == (bottom - top, right - left)
    assert results['camera_size'] == (right - left, bottom - top)
    for key in ('K', 'K_ori'):
        np.testing.assert_array_equal(
            results[key], [[50, 0, 14 - left], [0, 51, 9 - top], [0, 0, 1]]
        )


def test_published_windows():
    """RobotCar's centre and Cityscapes' upper three quarters."""
    assert CropFrames(size=(1152, 640)).bounds((960, 1280)) == (160, 800, 64, 1216)
    assert CropFrames(window=(0, 0.75, 0, 1.0)).bounds((1024, 2048)) == (0, 768, 0, 2048)


def test_truth_of_another_size():
    results = make_results(gt_shape=(5, 6))
    with pytest.raises(ValueError, match=r'a\.png has \(H, W\) \(5, 6\).*crop_gt=False'):
        CropFrames(size=(10, 8))(results)
    results = CropFrames(size=(10, 8), crop_gt=False)(make_results(gt_shape=(5, 6)))
    assert results['gt_depth'].shape == (5, 6)


def test_bad_arguments():
    with pytest.raises(ValueError, match='either window or size'):
        CropFrames()
    with pytest.raises(ValueError, match='top, bottom, left, right'):
        CropFrames(window=(1, 2))
    with pytest.raises(ValueError, match='does not fit into an image of 20 x 30'):
        CropFrames(size=(40, 8))(make_results())
    with pytest.raises(ValueError, match='does not fit into an image of 20 x 30'):
        CropFrames(window=(0, 0.75, 3, 25))(make_results())
    results = make_results()
    results['ori_shape'] = (40, 60)
    with pytest.raises(ValueError, match='does not reduce'):
        CropFrames(size=(10, 8))(results)

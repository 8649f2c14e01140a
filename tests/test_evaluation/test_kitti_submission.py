"""Submission PNGs of the KITTI depth benchmark."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from mmscd.evaluation import KITTISubmission
from mmscd.evaluation.metrics.kitti_submission import encode_depth
from mmscd.structures import DepthDataSample


def make_sample(name, depth):
    sample = DepthDataSample(metainfo=dict(img_path=f'/x/{name}.png', ori_shape=depth.shape))
    sample.pred_depth = PixelData(data=torch.from_numpy(depth)[None])
    return sample.to_dict()


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_encoding():
    depth = np.array([[1.0, 2.5, 80.0], [1e-5, 300.0, 0.00586]])
    stored = cv2.imdecode(np.frombuffer(encode_depth(depth), np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    # 0 would mean "no prediction"
    np.testing.assert_array_equal(stored, [[256, 640, 20480], [1, 65535, 2]])
    with pytest.raises(ValueError, match='finite'):
        encode_depth(np.array([[np.nan]]))


def test_writes_scaled_and_clipped(tmp_path):
    metric = KITTISubmission(tmp_path / 'out', scale=2.0, max_depth=80.0, n_images=2)
    depth = np.array([[1.0, 10.0], [np.inf, 70.0]], np.float32)
    metric.process(None, [make_sample('0000000000', depth), make_sample('0000000001', depth / 2)])
    assert metric.evaluate(2) == dict(n_written=2)
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['0000000000.png', '0000000001.png']  # nothing temporary is left
    expected = [[512, 5120], [20480, 20480]]
    np.testing.assert_array_equal(read(tmp_path / 'out/0000000000.png'), expected)
    np.testing.assert_array_equal(read(tmp_path / 'out/0000000001.png')[0], [256, 2560])


def test_what_was_not_computed_is_not_handed_in(tmp_path):
    depth = np.array([[1.0, np.nan]], np.float32)
    with pytest.raises(ValueError, match='a.png: the predicted depth is not finite'):
        KITTISubmission(tmp_path).process(None, [make_sample('a', depth)])
    assert list(tmp_path.iterdir()) == []


def test_resizes_to_the_image(tmp_path):
    sample = make_sample('a', np.full((2, 2), 4.0, np.float32))
    sample['ori_shape'] = (4, 6)
    KITTISubmission(tmp_path).process(None, [sample])
    np.testing.assert_array_equal(read(tmp_path / 'a.png'), np.full((4, 6), 1024))


def test_bad_arguments(tmp_path):
    blocked = tmp_path / 'file'
    blocked.write_text('')
    with pytest.raises(OSError, match='set out_dir to a folder that can be written'):
        KITTISubmission(blocked / 'out')
    with pytest.raises(ValueError, match='scale must be a positive number, got 0'):
        KITTISubmission(tmp_path, scale=0)
    with pytest.raises(ValueError, match='max_depth < 256'):
        KITTISubmission(tmp_path, max_depth=300)

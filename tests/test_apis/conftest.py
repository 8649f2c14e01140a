"""A network with random weights, and something to look at."""

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(scope='session')
def tiny_weights(tiny_config, tmp_path_factory):
    """A checkpoint of `tiny_config` as training writes it."""
    from mmengine.registry import init_default_scope

    from mmscd.registry import MODELS
    from mmscd.utils.config import load_config

    init_default_scope('mmscd')
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(tiny_config)).model)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.fixture(scope='session')
def street(tiny_kitti):
    """The images of `tiny_kitti`, uint8 RGB 160x80."""
    paths = sorted(tiny_kitti.glob('*/*/image_02/data/*.png'))
    return [cv2.imread(str(path))[..., ::-1] for path in paths]


@pytest.fixture(scope='session')
def long_video(street, tmp_path_factory):
    """400 frames of 160x80."""
    path = tmp_path_factory.mktemp('video') / 'drive.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (160, 80))
    for i in range(400):
        writer.write(np.ascontiguousarray(street[i % len(street)][..., ::-1]))
    writer.release()
    return path

"""How good the resize of real frames is, against filters of Pillow and plain area averaging."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.datasets import LoadFrames, ResizeFrames
from mmscd.datasets.transforms.resize import shrink

K = np.array([[720.0, 0, 609], [0, 720, 173], [0, 0, 1]])
DRIVE = 'kitti_raw/2011_09_26/2011_09_26_drive_0095_sync/image_02/data'


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b.astype(float)).mean())


@pytest.fixture(scope='module')
def frame():
    root = os.environ.get('MMSCD_DATA')
    files = sorted(Path(root, DRIVE).glob('*.jpg')) if root else []
    if not files:
        pytest.skip('needs KITTI frames: set MMSCD_DATA')
    return LoadFrames()(dict(frame_paths=[str(files[100])], K_ori=K))['frames'][0]


# (1024, 320): a factor close to 1; the others are close to whole numbers
@pytest.mark.parametrize('size', [(640, 192), (416, 128), (320, 96), (1024, 320), (500, 150)])
def test_as_close_to_lanczos_as_area_averaging(frame, size):
    Image = pytest.importorskip('PIL.Image')
    lanczos = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
    ours = ResizeFrames(size)(dict(frames=[frame], K=K))['frames'][0]
    area = psnr(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), lanczos)
    assert psnr(ours, lanczos) > max(35, area - 0.5)


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('columns', [640, 639, 480])
def test_the_side_that_shrinks_is_filtered_though_the_other_grows(columns, turned):
    """Rows alternate with the mean 127.5: 2.5 of them become one, whatever the width does."""
    image = np.zeros((480, columns, 3), np.uint8)
    image[::2] = 255
    image = image.swapaxes(0, 1) if turned else image
    size = (192, 640) if turned else (640, 192)
    out = ResizeFrames(size)(dict(frames=[image], K=K))['frames'][0].astype(float)
    out = out.swapaxes(0, 1) if turned else out
    exact = shrink(np.repeat(image[:, :1], 640, 1), (640, 192)) if not turned else None
    assert out.shape == (192, 640, 3) and abs(out.mean() - 127.5) < 1 and out.std() < 30
    assert exact is None or np.abs(out - exact).max() <= 1


@pytest.mark.parametrize('size', [(40, 60), (30, 20), (60, 40), (120, 1)])
def test_whole_factors_are_block_means(size):
    image = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    blocks = image.reshape(size[1], 120 // size[1], size[0], 120 // size[0], 3).mean((1, 3))
    assert np.abs(shrink(image, size) - blocks).max() <= 0.5 + 1e-6


@pytest.mark.parametrize('size', [(100, 50), (67, 31), (50, 25), (33, 13)])
def test_a_pattern_too_fine_to_show_becomes_grey(size):
    """Stripes of one pixel: without a filter they would come out as coarse ones."""
    image = np.zeros((75, 150, 3), np.uint8)
    image[:, ::2] = 200
    out = shrink(image, size)[2:-2, 2:-2].astype(float)
    filtered = cv2.resize(image, size, interpolation=cv2.INTER_AREA)[2:-2, 2:-2].astype(float)
    plain = cv2.resize(image, size)[2:-2, 2:-2].astype(float)
    assert abs(out.mean() - 100) < 2
    assert out.std() < max(1.3 * filtered.std(), 2)
    assert size[0] == 50 or out.std() < plain.std() / 1.3

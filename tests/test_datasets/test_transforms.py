"""Load, resize, pack: pixels, intrinsics, broken files."""

import cv2
import numpy as np
import pytest
import torch

from mmscd.datasets import LoadFrames, PackDepthInputs, ResizeFrames
from mmscd.datasets.formats.images import image_size, reduction_for

K_ORI = np.array([[721.5, 0, 609.6], [0, 719.25, 172.9], [0, 0, 1]])


@pytest.fixture
def picture(tmp_path):
    """Writes a smooth picture of a size and gives its path and RGB pixels."""

    def write(name, size):
        x, y = np.meshgrid(np.linspace(0, 6, size[0]), np.linspace(0, 4, size[1]))
        image = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1) * 100 + 128
        path = str(tmp_path / name)
        cv2.imwrite(path, image.astype(np.uint8)[:, :, ::-1])
        return path, image.astype(np.uint8)

    return write


def results(*paths, **more):
    return dict(frame_paths=list(paths), K_ori=K_ORI, **more)


def test_load_is_rgb_and_full_size(picture):
    (first, pixels), (second, _) = picture('a.png', (60, 40)), picture('b.png', (60, 40))
    loaded = LoadFrames()(results(first, second))
    assert len(loaded['frames']) == 2 and np.array_equal(loaded['frames'][0], pixels)
    assert loaded['ori_shape'] == loaded['img_shape'] == (40, 60)
    assert np.allclose(loaded['K'], K_ORI, rtol=1e-12) and loaded['K'].dtype == np.float64


def test_frames_of_one_size_and_the_calibrated_one(picture):
    (a, _), (b, _) = picture('a.png', (60, 40)), picture('b.png', (60, 42))
    with pytest.raises(ValueError, match=r'b.png has \(60, 42\), .*a.png has \(60, 40\)'):
        LoadFrames()(results(a, b))
    with pytest.raises(ValueError, match=r'a.png is 60x40, but its calibration is for 62x40'):
        LoadFrames()(results(a, camera_size=(62, 40)))
    with pytest.raises(ValueError, match=r'a.png is 60x40, but its calibration c.txt is for 62x40'):
        LoadFrames()(results(a, camera_size=(62, 40), camera_path='c.txt'))


@pytest.mark.parametrize('extension', ['jpg', 'png'])
@pytest.mark.parametrize('keep', [0.1, 0.5, 0.97])
def test_truncated_file_is_an_error(picture, extension, keep):
    path, _ = picture(f'cut.{extension}', (320, 200))
    with open(path, 'rb') as stream:
        data = stream.read()
    with open(path, 'wb') as stream:
        stream.write(data[: int(keep * len(data))])
    with pytest.raises(OSError, match=f'cut.{extension} is truncated or unreadable'):
        LoadFrames()(results(path))


def test_other_broken_files(tmp_path, picture):
    path = tmp_path / 'not_an_image.jpg'
    path.write_bytes(b'<html>not found</html>')
    with pytest.raises(OSError, match='not_an_image.jpg is truncated or unreadable'):
        LoadFrames()(results(str(path)))
    good, pixels = picture('padded.jpg', (320, 200))
    with open(good, 'ab') as stream:
        stream.write(b'\0' * 100)  # bytes after the end marker are harmless
    assert LoadFrames()(results(good))['frames'][0].shape == pixels.shape


def test_size_from_header(picture):
    for name, size in (('a.jpg', (1242, 375)), ('b.png', (33, 21)), ('c.bmp', (32, 20))):
        path, _ = picture(name, size)
        with open(path, 'rb') as stream:
            assert image_size(stream.read(), path) == size
    encoded = cv2.imencode(
        '.jpg', np.zeros((50, 70, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )
    assert image_size(encoded[1].tobytes(), 'progressive') == (70, 50)


@pytest.mark.parametrize(
    'size, target, expected',
    [
        ((1242, 375), (640, 192), 1),
        ((1242, 375), (621, 188), 2),
        ((1242, 375), (621, 189), 1),
        ((1242, 375), (416, 128), 2),
        ((1242, 375), (320, 96), 2),
        ((1242, 375), (156, 47), 8),
        ((100, 100), (200, 50), 1),
    ],
)
def test_choice_of_reduction(size, target, expected):
    assert reduction_for(size, target) == expected


@pytest.mark.parametrize('shrink, shape', [(2, (188, 621)), (4, (94, 311)), (8, (47, 156))])
def test_reduced_decode(picture, shrink, shape):
    path, pixels = picture('a.jpg', (1242, 375))
    loaded = LoadFrames(reduce=(shape[1], shape[0]))(results(path))
    frame = loaded['frames'][0]
    assert frame.shape == (*shape, 3) and loaded['img_shape'] == shape
    assert loaded['ori_shape'] == (375, 1242)
    # the scale is exactly 1/n although 375 is no multiple: block means of the picture
    rows, cols = 375 // shrink, 1242 // shrink
    blocks = pixels[: rows * shrink, : cols * shrink].reshape(rows, shrink, cols, shrink, 3)
    difference = np.abs(frame[:rows, :cols] - blocks.mean((1, 3)))
    assert difference.mean() < 2 and difference.max() < 12
    assert loaded['K'][0, 0] == pytest.approx(721.5 / shrink, rel=1e-12)
    assert loaded['K'][1, 2] == pytest.approx((172.9 + 0.5) / shrink - 0.5, rel=1e-12)


def test_reduction_leaves_png_alone(picture):
    path, pixels = picture('a.png', (640, 400))
    assert np.array_equal(LoadFrames(reduce=(64, 40))(results(path))['frames'][0], pixels)
    with pytest.raises(ValueError, match='got True'):
        LoadFrames(reduce=True)


@pytest.mark.parametrize('size', [(30, 20), (25, 11), (120, 80), (120, 20)])
def test_intrinsics_under_resize(picture, size):
    path, _ = picture('a.png', (60, 40))
    resized = ResizeFrames(size)(LoadFrames()(results(path)))
    assert resized['frames'][0].shape == (size[1], size[0], 3)
    assert resized['img_shape'] == (size[1], size[0]) and resized['ori_shape'] == (40, 60)
    K = resized['K']
    assert K[0, 0] == pytest.approx(721.5 * size[0] / 60)
    assert K[1, 1] == pytest.approx(719.25 * size[1] / 40)
    # a ray through the corner of the image goes through its corner afterwards
    for axis, (before, after) in enumerate(zip((60, 40), size, strict=True)):
        tangent = (before - 0.5 - K_ORI[axis, 2]) / K_ORI[axis, axis]
        assert K[axis, axis] * tangent + K[axis, 2] == pytest.approx(after - 0.5)


def test_resize_does_not_shift(picture):
    """A ramp stays the ramp: value = x before, so value = x_before(x_after) afterwards."""
    frame = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    for width in (60, 40, 30):
        out = ResizeFrames((width, 40))(dict(frames=[frame], K=K_ORI))['frames'][0][0, :, 0]
        expected = (np.arange(width) + 0.5) * 120 / width - 0.5
        assert np.abs(out - expected)[1:-1].max() <= 0.5 + 1e-6
    with pytest.raises(ValueError, match='two positive whole numbers'):
        ResizeFrames((640, 0))


def test_pack(picture):
    path, pixels = picture('a.png', (60, 40))
    meta = dict(img_path=path, frame_ids=[0, 's'], sample_idx=7, draw_key=-(2**63), night=True)
    sample = results(path, path, T_stereo=np.eye(4), **meta)
    sample['gt_depth'] = np.full((50, 70), 3.5)
    packed = PackDepthInputs(meta_keys=('night',))(LoadFrames()(sample))
    inputs, data_sample = packed['inputs'], packed['data_samples']
    assert inputs['frames'].dtype == torch.uint8 and inputs['frames'].shape == (2, 3, 40, 60)
    assert inputs['frames'].is_contiguous()
    assert np.array_equal(inputs['frames'][1].numpy(), pixels.transpose(2, 0, 1))
    assert inputs['K'].dtype == inputs['T_stereo'].dtype == torch.float32
    assert inputs['draw_key'].dtype == torch.int64 and inputs['draw_key'].item() == -(2**63)
    gt = data_sample.gt_depth.data
    assert gt.shape == (1, 50, 70) and gt.dtype == torch.float32 and (gt == 3.5).all()
    assert data_sample.K_ori == K_ORI.tolist() and data_sample.night and data_sample.sample_idx == 7
    assert (data_sample.ori_shape, data_sample.img_shape) == ((40, 60), (40, 60))
    with pytest.raises(KeyError, match="'rain'.* are not in the sample"):
        PackDepthInputs(meta_keys=('rain',))(sample)

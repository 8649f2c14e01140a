"""The reader of images: upright as viewers show them, whole, of a size that fits into memory."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mmscd.datasets import FolderDepthDataset
from mmscd.datasets.formats import images
from mmscd.datasets.formats.images import (
    MAX_PIXELS,
    decode_rgb,
    image_size,
    read_depth_png,
    read_image,
    read_labels,
)
from mmscd.datasets.transforms import LoadFrames

RNG = np.random.default_rng(0)
SMALL = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
RGB = cv2.resize(SMALL, (96, 64), interpolation=cv2.INTER_LINEAR)


def save(path, image, orientation=None, **options):
    """Write a PIL image, or an array; returns the path."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if orientation:
        options['exif'] = Image.Exif()
        options['exif'][0x0112] = orientation
    image.save(path, **options)
    return path


def png_of_size(width, height):
    """A PNG of a few bytes that says it has this size."""

    def chunk(kind, body):
        return (
            struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
        )

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    parts = chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + parts


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif'])
def test_every_orientation_is_upright(tmp_path, suffix, orientation):
    options = dict(quality=95) if suffix == 'jpg' else {}
    path = save(tmp_path / f'a.{suffix}', RGB, orientation, **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    read, size, shrink = decode_rgb(path.read_bytes(), path)
    assert np.abs(read.astype(int) - expected).max() <= 2
    assert size == image_size(path.read_bytes(), path) == expected.shape[1::-1] and shrink == 1
    # shrunk by the inverse DCT only where the padding comes last
    shrunk, _, factor = decode_rgb(path.read_bytes(), path, (32, 20))
    assert factor == (2 if (suffix, orientation) == ('jpg', 1) else 1)
    assert shrunk.shape[:2] == tuple(-(-side // factor) for side in expected.shape[:2])


def test_odd_exif_is_upright(tmp_path):
    """Of the other order of bytes, cut off, of a senseless value."""
    whole = BytesIO()
    Image.fromarray(RGB).save(whole, 'JPEG')
    data = whole.getvalue()

    def with_exif(body):
        marker = b'\xff\xe1' + struct.pack('>H', len(body) + 8) + b'Exif\0\0'
        return data[:2] + marker + body + data[2:]

    entry = struct.pack('>HHIHH', 0x0112, 3, 1, 6, 0)
    big = b'MM\0*' + struct.pack('>IH', 8, 1) + entry + b'\0' * 4
    assert image_size(with_exif(big), 'a') == (64, 96)
    for body in (
        big[:15],
        b'',
        b'XX' + big[2:],
        big.replace(entry, entry[:9] + b'\x09' + entry[10:]),
    ):
        assert image_size(with_exif(body), 'a') == (96, 64)


def test_a_training_set_is_as_upright_as_a_viewer(tmp_path):
    """The same picture as a path and through a data set, with the K of what one sees."""
    for name in 'abc':
        save(tmp_path / f'{name}.jpg', RGB, 6)
    camera = tmp_path / 'intrinsics.yaml'
    camera.write_text('fx: 70\nfy: 70\ncx: 31.5\ncy: 47.5\nwidth: 64\nheight: 96\n')
    data = FolderDepthDataset(str(tmp_path), pipeline=[dict(type='LoadFrames')])
    sample = data[0]
    assert (sample['frames'][0] == read_image(tmp_path / 'b.jpg')).all()
    assert sample['ori_shape'] == (96, 64) and sample['K'][0, 2] == 31.5
    camera.write_text('fx: 70\nfy: 70\ncx: 47.5\ncy: 31.5\nwidth: 96\nheight: 64\n')
    with pytest.raises(ValueError, match='is for 96x64, the images are 64x96'):
        FolderDepthDataset(str(tmp_path), pipeline=[])


@pytest.mark.parametrize(
    'orientation, words', [(6, '96x64.*64x96.*same view'), (3, 'EXIF turns it')]
)
def test_ground_truth_that_was_not_turned_is_refused(tmp_path, orientation, words):
    path = str(save(tmp_path / 'a.jpg', RGB, orientation))
    sample = dict(frame_paths=[path], K_ori=np.eye(3), gt_shows_image=True, gt_path='gt.png')
    with pytest.raises(ValueError, match=words):
        LoadFrames()(dict(sample, gt_depth=np.ones((64, 96))))


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'LA', '1'])
def test_kinds_of_pictures_become_their_colours(tmp_path, mode):
    image = Image.fromarray(RGB).convert(mode)
    read = read_image(save(tmp_path / 'a.png', image))
    assert (read == np.asarray(image.convert('RGB'))).all()


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK', 'YCbCr'])
@pytest.mark.parametrize('target', [None, (48, 32), (24, 16), (12, 8)])
def test_jpegs_are_decoded_to_rgb_as_they_were_by_way_of_bgr(tmp_path, monkeypatch, mode, target):
    image = Image.fromarray(RGB).convert(mode)
    for options in ({}, dict(subsampling=0), dict(progressive=True), dict(orientation=6)):
        path = save(tmp_path / 'a.jpg', image, quality=80, **options)
        read = decode_rgb(path.read_bytes(), path, target)
        monkeypatch.setattr(images, '_RGB', 0)
        expected = decode_rgb(path.read_bytes(), path, target)
        monkeypatch.undo()
        assert (read[0] == expected[0]).all() and read[1:] == expected[1:]


def test_printers_colours(tmp_path):
    image = Image.fromarray(RGB).convert('CMYK')
    read = read_image(save(tmp_path / 'a.jpg', image, quality=95))
    assert np.abs(read.astype(int) - np.asarray(image.convert('RGB'))).max() < 25


def test_65535_is_white(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / 'a.png'), RGB[..., ::-1].astype(np.uint16) * 257)
    assert (read_image(tmp_path / 'a.png') == RGB).all()
    warnings = []
    monkeypatch.setattr(
        'mmscd.datasets.formats.images.print_log', lambda text, *_: warnings.append(text)
    )
    cv2.imwrite(str(tmp_path / 'b.png'), np.full((4, 4), 1000, np.uint16))
    assert read_image(tmp_path / 'b.png').max() == 4
    assert 'b.png has 16 bits but no value above 1000' in warnings[0]


def test_labels_are_numbers_where_pictures_are_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), 'L').convert('P')
    image.putpalette([90, 80, 70, 255, 0, 0, 0, 0, 255])
    path = save(tmp_path / 'a.png', image)
    assert read_labels(path).tolist() == [[0, 1], [2, 1]]
    assert read_image(path)[0].tolist() == [[90, 80, 70], [255, 0, 0]]
    with pytest.raises(ValueError, match='b.png is no label image: expected one channel'):
        read_labels(save(tmp_path / 'b.png', RGB))


@pytest.mark.parametrize('read', [read_image, read_labels, read_depth_png])
@pytest.mark.parametrize('size', [(30_000, 30_000), (40_000, 40_000), (2**31 - 1, 2**31 - 1)])
def test_more_pixels_than_fit_are_refused_by_the_header(tmp_path, read, size):
    path = tmp_path / 'a.png'
    path.write_bytes(png_of_size(*size))
    said = f'a.png has {size[0]}x{size[1]} pixels, more than the {MAX_PIXELS} .*make it smaller'
    with pytest.raises(ValueError, match=said):
        read(path)


def test_other_kinds_are_not_decoded_either(tmp_path):
    for size in ('20000 20000', '12000 12000'):  # beyond Pillow's limit, and beyond ours
        (tmp_path / 'a.ppm').write_bytes(f'P6 {size} 255\n'.encode())
        with pytest.raises(ValueError, match='a.ppm .*ake it smaller'):
            read_image(tmp_path / 'a.ppm')


@pytest.mark.parametrize('size', [(0, 10), (2_000_000, 10)])
def test_what_opencv_refuses_is_one_sentence(tmp_path, size):
    (tmp_path / 'a.png').write_bytes(png_of_size(*size))
    with pytest.raises(OSError, match='a.png is truncated or unreadable'):
        read_image(tmp_path / 'a.png')


def test_broken_files_of_every_kind(tmp_path):
    for suffix in ('jpg', 'png', 'webp', 'tif', 'bmp', 'ppm', 'gif', 'jp2'):
        path = save(tmp_path / f'a.{suffix}', RGB)
        data = path.read_bytes()
        assert read_image(path).shape == RGB.shape
        for cut in (0, 1, 10, 16, 22, len(data) // 2, len(data) - 20):
            path.write_bytes(data[:cut])
            with pytest.raises(OSError, match=f'a.{suffix} is (empty|truncated or unreadable)'):
                read_image(path)
    (tmp_path / 'a.png').write_bytes(b'\x89PNG\r\n\x1a\nIEND\xaeB`\x82')
    with pytest.raises(OSError, match='a.png is truncated'):
        read_image(tmp_path / 'a.png')
    (tmp_path / 'a.ppm').write_bytes(b'P6 3x 4 255\n')
    with pytest.raises(OSError, match='a.ppm is truncated'):
        read_image(tmp_path / 'a.ppm')


def test_animations_are_refused(tmp_path):
    frames = [Image.fromarray(np.full((20, 30, 3), v, np.uint8)) for v in (10, 200)]
    for suffix in ('gif', 'webp'):
        path = save(tmp_path / f'a.{suffix}', frames[0], save_all=True, append_images=frames[1:])
        with pytest.raises(ValueError, match=f'a.{suffix} is an animation: give a single image'):
            read_image(path)


def test_floats_of_one_channel_are_no_picture(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.pfm'), np.ones((6, 8), np.float32))
    data = (tmp_path / 'a.pfm').read_bytes()
    for read in (decode_rgb, image_size):
        with pytest.raises(OSError, match=r'a\.pfm'):
            read(data, tmp_path / 'a.pfm')

"""The 18 corruptions: numbers, noise statistics, determinism, order of severity."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.corruptions import (
    CORRUPTIONS,
    GROUPS,
    PARAMETERS,
    SEVERITIES,
    common,
    corrupt,
    image_id_from_path,
)
from mmscd.datasets.transforms import CorruptFrames
from mmscd.registry import TRANSFORMS


@pytest.fixture(scope='module')
def picture():
    """A smooth colourful picture, uint8 (96, 160, 3)."""
    rng = np.random.default_rng(0)
    grid = rng.uniform(0, 255, (7, 11, 3)).astype(np.float32)
    large = cv2.resize(grid, (160, 96), interpolation=cv2.INTER_CUBIC)
    return np.clip(large, 0, 255).astype(np.uint8)


def psnr(a, b):
    return -10 * np.log10(np.mean((a / 255 - b / 255) ** 2))


def _digest(job):
    image, name, severity = job
    return hashlib.sha256(corrupt(image, name, severity, 7, 'id').tobytes()).hexdigest()


def test_eighteen_names_in_three_groups_with_five_severities():
    assert len(CORRUPTIONS) == len(set(CORRUPTIONS)) == 18
    assert [len(names) for names in GROUPS.values()] == [6, 6, 6]
    assert set(PARAMETERS) == set(CORRUPTIONS)
    assert all(len(levels) == 5 for _, levels in PARAMETERS.values())


def test_documented_parameters_are_the_real_ones():
    page = (Path(__file__).parents[2] / 'docs/en/corruptions.md').read_text(encoding='utf-8')
    rows = [line.split('|')[1:-1] for line in page.splitlines() if line.startswith('| `')]
    found = {row[0].strip(' `'): row for row in rows}
    assert list(found) == list(CORRUPTIONS)
    for name, (meaning, levels) in PARAMETERS.items():
        assert found[name][2].strip() == meaning
        for cell, level in zip(found[name][3:], levels, strict=True):
            numbers = tuple(float(number) for number in cell.split(','))
            assert numbers == pytest.approx(level if isinstance(level, tuple) else (level,))


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.parametrize('severity', SEVERITIES)
def test_shape_dtype_and_input_are_kept(picture, name, severity):
    before = picture.copy()
    frozen = picture.copy()
    frozen.flags.writeable = False
    result = corrupt(frozen, name, severity, image_id='x')
    assert result.dtype == np.uint8 and result.shape == picture.shape
    assert result.flags.c_contiguous and result.flags.writeable
    assert not np.shares_memory(result, frozen)
    np.testing.assert_array_equal(frozen, before)
    assert (result != picture).any()


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.parametrize('shape', [(1, 1), (5, 9), (40, 17)])
def test_small_images_and_views(name, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for severity in (1, 5):
        assert corrupt(image[:, ::-1, ::-1], name, severity).shape == image.shape
    for value in (0, 255):
        assert corrupt(np.full_like(image, value), name, 3).shape == image.shape


def test_result_depends_on_the_arguments_alone(picture):
    jobs = [(picture, name, severity) for name in CORRUPTIONS for severity in (1, 5)]
    first = [_digest(job) for job in jobs]
    np.random.seed(3)
    assert [_digest(job) for job in reversed(jobs)] == first[::-1]
    for workers in (1, 2):
        with ProcessPoolExecutor(workers) as pool:
            assert list(pool.map(_digest, jobs)) == first


def test_bits_do_not_depend_on_opencv_threads(picture):
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            results.append([_digest((picture, name, 4)) for name in CORRUPTIONS])
    finally:
        cv2.setNumThreads(before)
    assert results[0] == results[1]


def test_seed_and_image_change_what_is_random(picture):
    fixed = {
        'brightness', 'contrast', 'defocus_blur', 'zoom_blur', 'color_quant', 'pixelate',
        'jpeg_compression',
    }  # fmt: skip
    for name in CORRUPTIONS:
        base = corrupt(picture, name, 3, 42, 'a')
        for other in (corrupt(picture, name, 3, 43, 'a'), corrupt(picture, name, 3, 42, 'b')):
            assert (base == other).all() == (name in fixed), name


def test_random_bits_are_pinned():
    """A change here changes every seeded result: numpy's streams or the key have moved."""
    rng = common.make_generator('corruption', 42, 'a/b', 'snow')
    assert rng.integers(0, 2**32, 3).tolist() == PINNED_INTEGERS


PINNED_INTEGERS = [1575469365, 2316698196, 1866228010]


@pytest.mark.parametrize(
    'arguments, error, text',
    [
        (('rain', 1), ValueError, 'rain'),
        (('fog', 0), ValueError, 'severity'),
        (('fog', 6), ValueError, '6'),
        (('fog', True), ValueError, 'True'),
        (('fog', 1, 1.5), TypeError, 'seed'),
    ],
)
def test_wrong_arguments_are_named(picture, arguments, error, text):
    with pytest.raises(error, match=text):
        corrupt(picture, *arguments)


def test_wrong_images_are_named(picture):
    with pytest.raises(TypeError, match='float64'):
        corrupt(picture / 255, 'fog', 1)
    with pytest.raises(ValueError, match=r'\(96, 160\)'):
        corrupt(picture[..., 0], 'fog', 1)


def test_image_id_does_not_depend_on_the_place():
    tail = '2011_09_26/2011_09_26_drive_0013_sync/image_02/data/0000000090'
    assert image_id_from_path(f'/a/b/{tail}.png') == tail
    assert image_id_from_path(f'/c/{tail}.jpg', '/c') == tail
    assert image_id_from_path('/data/set/x/1.png', '/data/set') == 'x/1'


def test_transform_corrupts_each_frame_as_corrupt_does(picture):
    paths = ['/d/s/a/1.png', '/d/s/a/2.png']
    transform = TRANSFORMS.build(
        dict(type='CorruptFrames', name='snow', severity=2, seed=5, data_root='/d')
    )
    shapes = dict(img_shape=(96, 160), ori_shape=(192, 320))
    results = dict(frames=[picture, picture], frame_paths=paths, **shapes)
    frames = transform(results)['frames']
    for frame, image_id in zip(frames, ('s/a/1', 's/a/2'), strict=True):
        np.testing.assert_array_equal(frame, corrupt(picture, 'snow', 2, 5, image_id))
    assert (frames[0] != frames[1]).any()


def test_transform_knows_its_place(picture):
    results = dict(frames=[picture], frame_paths=['1.png'], img_shape=(96, 160))
    with pytest.raises(ValueError, match='after ResizeFrames'):
        CorruptFrames('fog', 1)(dict(results, ori_shape=(96, 160)))
    with pytest.raises(ValueError, match='before ResizeFrames'):
        CorruptFrames('fog', 1, protocol='native')(dict(results, ori_shape=(192, 320)))
    with pytest.raises(ValueError, match='protocol'):
        CorruptFrames('fog', 1, protocol='resized')
    with pytest.raises(ValueError, match='unknown corruption'):
        CorruptFrames('rain', 1)


@pytest.mark.parametrize('name', CORRUPTIONS)
def test_psnr_falls_with_severity_on_real_frames(mmscd_data, name):
    from mmscd.datasets.transforms.resize import shrink

    drive = mmscd_data / 'kitti_raw/2011_09_26/2011_09_26_drive_0013_sync/image_02/data'
    values = []
    for path in sorted(drive.iterdir())[::12]:
        image = shrink(cv2.imread(str(path))[..., ::-1].copy(), (640, 192))
        image_id = image_id_from_path(path)
        values.append([psnr(corrupt(image, name, s, image_id=image_id), image) for s in SEVERITIES])
    assert (np.diff(np.mean(values, 0)) < 0).all(), np.mean(values, 0)

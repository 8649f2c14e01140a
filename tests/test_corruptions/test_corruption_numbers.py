"""What each corruption does to the pixels, against closed forms and plain loops."""

from math import erf

import cv2
import numpy as np
import pytest

from mmscd.corruptions import SEVERITIES, blur, common, corrupt, get_parameters, weather
from mmscd.corruptions.frost_pictures import PICTURES, frost_picture


def flat(*color, size=(96, 160)):
    return np.broadcast_to(np.uint8(color), (*size, 3)).copy()


@pytest.fixture(scope='module')
def picture():
    """A smooth colourful picture, uint8 (96, 160, 3)."""
    rng = np.random.default_rng(0)
    grid = rng.uniform(0, 255, (7, 11, 3)).astype(np.float32)
    large = cv2.resize(grid, (160, 96), interpolation=cv2.INTER_CUBIC)
    return np.clip(large, 0, 255).astype(np.uint8)


@pytest.mark.parametrize('severity, added', enumerate((0.1, 0.2, 0.3, 0.4, 0.5), 1))
def test_brightness_raises_v_and_keeps_hue_and_saturation(severity, added):
    result = corrupt(flat(100, 50, 20), 'brightness', severity)[0, 0]
    factor = (100 + 255 * added) / 100
    np.testing.assert_allclose(result, np.array([100, 50, 20]) * factor, atol=0.5)
    assert (corrupt(flat(250, 125, 0), 'brightness', 5)[0, 0] == [255, 128, 0]).all()
    assert (corrupt(flat(0, 0, 0), 'brightness', severity) == round(255 * added)).all()


@pytest.mark.parametrize(
    'severity, factor', zip(SEVERITIES, (0.4, 0.3, 0.2, 0.1, 0.05), strict=True)
)
def test_contrast_about_the_mean_of_each_channel(severity, factor):
    image = flat(100, 40, 200)
    image[:, ::2] = (200, 80, 220)
    result = corrupt(image, 'contrast', severity)
    mean, half = np.array([150, 60, 210]), np.array([50, 20, 10])
    np.testing.assert_allclose(result[0, 0], mean + factor * half, atol=0.5 + 1e-9)
    np.testing.assert_allclose(result[0, 1], mean - factor * half, atol=0.5 + 1e-9)
    np.testing.assert_array_equal(corrupt(flat(9, 99, 199), 'contrast', severity), flat(9, 99, 199))


@pytest.mark.parametrize('severity', SEVERITIES)
def test_gaussian_noise_statistics(severity):
    sigma = get_parameters('gaussian_noise', severity)
    noise = corrupt(flat(127, 127, 127, size=(300, 300)), 'gaussian_noise', severity) / 255.0
    inside = noise[(noise > 0) & (noise < 1)]
    # the share inside [0, 1] of a normal distribution about the middle
    assert inside.size / noise.size == pytest.approx(erf(0.5 / sigma / 2**0.5), abs=0.005)
    assert noise.mean() == pytest.approx(127 / 255, abs=0.003)
    if severity <= 2:
        assert noise.std() == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize('severity', SEVERITIES)
def test_impulse_noise_statistics(severity):
    amount = get_parameters('impulse_noise', severity)
    noise = corrupt(flat(100, 150, 200, size=(300, 300)), 'impulse_noise', severity)
    for value in (0, 255):
        assert (noise == value).mean() == pytest.approx(amount / 2, rel=0.05)
    changed = (noise != flat(100, 150, 200, size=(300, 300))).astype(float)
    # channel by channel, not whole pixels
    assert np.corrcoef(changed[..., 0].ravel(), changed[..., 1].ravel())[0, 1] < 0.05


@pytest.mark.parametrize('severity', SEVERITIES)
def test_shot_noise_statistics(severity):
    photons = get_parameters('shot_noise', severity)
    noise = corrupt(flat(51, 51, 51, size=(300, 300)), 'shot_noise', severity) / 255.0
    counts = noise[noise < 1] * photons
    assert np.abs(counts - np.rint(counts)).max() < 0.5 * photons / 255 + 1e-6
    if severity <= 3:
        assert noise.mean() == pytest.approx(0.2, rel=0.01)
        assert noise.var() == pytest.approx(0.2 / photons, rel=0.02)


def test_iso_noise_and_dark_statistics():
    noise = corrupt(flat(127, 127, 127, size=(300, 300)), 'iso_noise', 1) / 255.0
    expected = 127 / 255 / 25 + (0.7 * 0.08) ** 2
    assert noise.var() == pytest.approx(expected, rel=0.03)
    image = flat(128, 128, 128, size=(300, 300))
    image[0, :2] = [[0] * 3, [255] * 3]
    for severity, scale in zip(SEVERITIES, (0.6, 0.5, 0.4, 0.3, 0.2), strict=True):
        mean = corrupt(image, 'dark', severity)[1:].mean() / 255
        # noise that is cut off at 0 lifts the darkest a little
        assert scale * 0.252 - 0.003 < mean < scale * 0.252 + 0.006


def test_color_quant_is_posterisation(picture):
    for severity, bits in zip(SEVERITIES, (5, 4, 3, 2, 1), strict=True):
        step = 2 ** (8 - bits)
        expected = picture // step * step
        np.testing.assert_array_equal(corrupt(picture, 'color_quant', severity), expected)


def test_pixelate_repeats_block_means():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    result = corrupt(image, 'pixelate', 5)
    means = image.reshape(10, 4, 15, 4, 3).mean((1, 3))
    expected = means.repeat(4, 0).repeat(4, 1)
    np.testing.assert_allclose(result, expected, atol=0.51)


def test_jpeg_is_the_file_of_that_quality(picture):
    options = [cv2.IMWRITE_JPEG_QUALITY, 7]
    encoded = cv2.imencode('.jpg', picture[..., ::-1], options)[1]
    expected = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(corrupt(picture, 'jpeg_compression', 5), expected)


def test_directed_blur_equals_the_sum_of_shifts(picture):
    """Against a plain loop over taps and pixels, borders repeated."""
    image = picture[:24, :30].astype(np.float32)
    for angle in (-40.0, 17.0, -100.0):
        got = common.directed_blur(image, 4, 2.5, angle)
        weights = np.exp(-0.5 * (np.arange(9) / 2.5) ** 2)
        weights /= weights.sum()
        expected = np.zeros(image.shape)
        for i, weight in enumerate(weights):
            dx = int(np.ceil(i * np.cos(np.deg2rad(angle)) - 0.5))
            dy = int(np.ceil(i * np.sin(np.deg2rad(angle)) - 0.5))
            rows = np.clip(np.arange(24) + dy, 0, 23)
            columns = np.clip(np.arange(30) + dx, 0, 29)
            expected += weight * image[rows][:, columns]
        np.testing.assert_allclose(got, expected, atol=1e-3)


def test_zoom_keeps_the_centre():
    y, x = np.mgrid[:41, :61].astype(np.float32)
    for factor in (1.0, 1.25, 3.0):
        zoomed = common.zoom_about_centre(np.dstack([x, y]), factor)
        np.testing.assert_allclose(zoomed[20, 30], [30, 20], atol=1e-4)
        # OpenCV places samples at 1/32 pixel
        expected = np.dstack([30 + (x - 30) / factor, 20 + (y - 20) / factor])
        np.testing.assert_allclose(zoomed, expected, atol=1 / 30)


@pytest.mark.parametrize('reach', [1, 2, 4])
def test_scattering_equals_the_sequential_loop(reach):
    height, width = 19, 23
    sources = blur.scatter_sources(height, width, reach, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    inner = (height - 2 * reach, width - 2 * reach)
    offset = rng.integers(-reach, reach, (2, *inner))
    expected = np.arange(height * width).reshape(height, width)
    for h in range(height - reach, reach, -1):
        for w in range(width - reach, reach, -1):
            dy, dx = offset[:, h - reach - 1, w - reach - 1]
            expected[h, w] = expected[h + dy, w + dx]
    np.testing.assert_array_equal(sources.reshape(height, width), expected)


def test_glass_blur_moves_pixels_but_not_the_picture(picture):
    large = cv2.resize(picture, (640, 384), interpolation=cv2.INTER_CUBIC)
    result = corrupt(large, 'glass_blur', 5)
    shift, _ = cv2.phaseCorrelate(
        *(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(np.float64) for i in (large, result))
    )
    assert np.abs(shift).max() < 0.25


def test_elastic_displacements_are_small_and_smooth():
    x = np.broadcast_to(np.linspace(0, 255, 640), (192, 640))
    ramp = np.repeat(x[..., None], 3, 2).astype(np.uint8)
    moved = [
        np.abs(corrupt(ramp, 'elastic_transform', s).astype(float) - ramp).mean()
        for s in SEVERITIES
    ]
    assert (np.diff(moved) > 0).all()


def test_plasma_covers_the_unit_range_and_is_rougher_with_less_decay():
    fields = [
        weather.plasma_fractal(128, decay, np.random.default_rng(0)) for decay in (2.0, 1.7, 1.4)
    ]
    for field in fields:
        assert field.shape == (128, 128) and field.min() == 0 and field.max() == 1
    steps = [np.abs(np.diff(field, axis=1)).mean() for field in fields]
    assert steps[0] < steps[1] < steps[2]
    # it closes on itself
    seam = np.abs(fields[0][:, 0] - fields[0][:, -1]).mean()
    assert seam < 3 * steps[0]


def test_fog_has_the_same_mean_for_every_image():
    means = [
        [corrupt(flat(120, 120, 120), 'fog', s, image_id=str(i)).mean() / 255 for s in SEVERITIES]
        for i in range(4)
    ]
    expected = [(120 / 255 + 0.5 * t) * (m := 120 / 255) / (m + t) for t in (1.5, 2, 2.5, 2.5, 3)]
    np.testing.assert_allclose(means, np.broadcast_to(expected, (4, 5)), atol=0.01)


def test_frost_pictures_are_dark_panes_with_white_ice():
    pictures = [frost_picture(i) for i in range(PICTURES)]
    for image in pictures:
        assert image.dtype == np.uint8 and image.shape == (640, 1152, 3)
        assert 0.15 < image.mean() / 255 < 0.40
        assert (image > 230).mean() > 0.005 and (image < 40).mean() > 0.2
    assert len({image.tobytes() for image in pictures}) == PICTURES
    # larger images than the pictures work as well
    assert corrupt(flat(9, 9, 9, size=(700, 1300)), 'frost', 3).shape == (700, 1300, 3)

"""Colours: order, robustness, and sparse points that can be seen."""

import numpy as np
import pytest

from mmscd.visualization import colormap as C


def brightness(colors):
    return colors.astype(float).mean(axis=-1)


def test_near_is_brighter_than_far():
    depth = np.array([[2.0, 5.0, 10.0, 20.0, 60.0]])
    colors = C.colorize_depth(depth, limits=(1 / 60, 1 / 2))
    assert colors.shape == (1, 5, 3) and colors.dtype == np.uint8
    assert (np.diff(brightness(colors)[0]) < 0).all()
    np.testing.assert_array_equal(colors[0, 0], C.color_table('magma')[255])
    np.testing.assert_array_equal(colors[0, -1], C.color_table('magma')[0])


def test_scale_of_the_depth_does_not_matter():
    depth = np.random.default_rng(0).uniform(1, 80, (20, 30))
    one, other = C.colorize_depth(depth), C.colorize_depth(depth * 37)
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 8  # one entry of the table


def test_an_outlier_does_not_flatten_the_rest():
    depth = np.random.default_rng(0).uniform(5, 50, (20, 30))
    colors = C.colorize_depth(depth)
    depth[0, 0] = 1e-3
    assert np.abs(colors[1:].astype(int) - C.colorize_depth(depth)[1:]).mean() < 3


def test_invalid_depth_is_grey_and_constant_depth_draws():
    depth = np.array([[1.0, 0.0, np.nan, 2.0, -3.0]])
    colors = C.colorize_depth(depth)
    for column in (1, 2, 4):
        np.testing.assert_array_equal(colors[0, column], C.INVALID_COLOR)
    assert len(np.unique(C.colorize_depth(np.full((4, 4), 3.0)).reshape(-1, 3), axis=0)) == 1
    assert (C.colorize_depth(np.zeros((4, 4))) == C.INVALID_COLOR).all()


def test_error_colors_run_from_blue_to_red():
    error = np.array([[0.05, 0.25, 0.45, 9.0]])
    red, _, blue = np.moveaxis(C.colorize_error(error, 0.5, radius=0)[0].astype(int), -1, 0)
    assert blue[0] > red[0] and red[2] > blue[2]
    np.testing.assert_array_equal(
        C.colorize_error(error, 0.5, radius=0)[0, 3], C.color_table('turbo')[255]
    )


def test_sparse_points_grow_and_keep_their_value():
    error = np.full((7, 7), np.nan)
    error[3, 2], error[3, 4] = 0.1, 0.3
    grown = C.spread_sparse(error, 1)
    assert np.isfinite(grown).sum() == 3 * 5
    assert (grown[3, 2], grown[3, 4]) == (0.1, 0.3)
    assert grown[3, 3] == pytest.approx(0.2) and grown[2, 1] == pytest.approx(0.1)
    picture = np.full((7, 7, 3), 200, np.uint8)
    colors = C.colorize_error(error, 0.5, picture)
    np.testing.assert_array_equal(colors[0, 0], [60, 60, 60])


def test_scatter_moves_points_by_pixel_centres():
    # pixels (1, 2) and (1, 3) of a 4 x 8 map fall on pixel (0, 1) of a 2 x 4 one
    index = np.array([1 * 8 + 2, 1 * 8 + 3, 3 * 8 + 7])
    moved = C.scatter_mean(index, np.array([1.0, 3.0, 5.0]), (4, 8), (2, 4))
    assert moved[0, 1] == 2 and moved[1, 3] == 5 and np.isfinite(moved).sum() == 2


def test_unknown_map_is_named():
    with pytest.raises(ValueError, match='jet'):
        C.color_table('jet')


def lightness(colors):
    """CIE L* of sRGB colours, D65."""
    linear = colors / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return np.where(
        luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, luminance * (29 / 3) ** 3
    )


@pytest.mark.parametrize('name', sorted(set(C.COLORMAPS) - {'turbo'}))
def test_maps_are_monotone_to_the_eye(name):
    steps = np.diff(lightness(C.color_table(name).astype(float)))
    # steps of eight bits: lightness may pause, and never turns by more than rounding
    assert steps.min() > -0.25 and 50 < steps.sum() < 100
    assert np.ptp(np.convolve(steps, np.ones(32) / 32, 'valid')) < 0.25


def test_tables_are_the_published_ones():
    ends = dict(plasma=('0d0887', 'f0f921'), cividis=('00224e', 'fee838'))
    for name, hexes in ends.items():
        for index, code in zip((0, 255), hexes, strict=True):
            assert bytes(C.color_table(name)[index]).hex() == code
    matplotlib = pytest.importorskip('matplotlib', reason='its tables are the reference')
    for name in C.COLORMAPS:
        expected = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
        np.testing.assert_array_equal(C.color_table(name), expected.round())

"""The metric functions against hand-computed values and a naive loop."""

import math

import cv2
import numpy as np
import pytest
import torch

from mmscd.evaluation import functional as F


def naive_errors(pred, gt):
    """Loop over pixels, straight from the formulas."""
    sums = dict.fromkeys(F.METRIC_NAMES, 0.0)
    count = 0
    for p, g in zip(pred.ravel().tolist(), gt.ravel().tolist(), strict=True):
        count += 1
        sums['abs_rel'] += abs(p - g) / g
        sums['sq_rel'] += (p - g) ** 2 / g
        sums['rmse'] += (p - g) ** 2
        sums['rmse_log'] += (math.log(p) - math.log(g)) ** 2
        for k in (1, 2, 3):
            sums[f'delta{k}'] += max(p / g, g / p) < 1.25**k
    means = {key: value / count for key, value in sums.items()}
    for key in ('rmse', 'rmse_log'):
        means[key] = math.sqrt(means[key])
    return means


def test_errors_by_hand():
    errors = F.depth_errors(np.array([2.0, 5.0, 10.0]), np.array([2.0, 4.0, 20.0]))
    assert errors['abs_rel'] == pytest.approx((0 + 0.25 + 0.5) / 3)
    assert errors['sq_rel'] == pytest.approx((0 + 1 / 4 + 100 / 20) / 3)
    assert errors['rmse'] == pytest.approx(math.sqrt(101 / 3))
    logs = math.log(1.25) ** 2 + math.log(2) ** 2
    assert errors['rmse_log'] == pytest.approx(math.sqrt(logs / 3))
    # exactly 1.25 is outside of delta1 (strict), 2 is outside of 1.25^3 = 1.953
    assert errors['delta1'] == pytest.approx(1 / 3)
    assert errors['delta2'] == pytest.approx(2 / 3)
    assert errors['delta3'] == pytest.approx(2 / 3)


def test_errors_against_naive_loop():
    rng = np.random.default_rng(0)
    gt = rng.uniform(1, 80, (13, 17))
    pred = gt * rng.lognormal(0, 0.4, gt.shape)
    mask = rng.random(gt.shape) < 0.6
    expected = naive_errors(pred[mask], gt[mask])
    assert F.depth_errors(pred, gt, mask) == pytest.approx(expected, rel=1e-12)


def test_errors_refuse_what_has_no_answer():
    one = np.ones(3)
    with pytest.raises(ValueError, match='no valid ground-truth pixel'):
        F.depth_errors(one, one, np.zeros(3, bool))
    with pytest.raises(ValueError, match='positive'):
        F.depth_errors(np.array([1, np.nan, 1]), one)
    with pytest.raises(ValueError, match='positive'):
        F.depth_errors(one, np.array([1, 0, 1]))
    with pytest.raises(ValueError, match=r'\(3,\).*\(2,\)'):
        F.depth_errors(one, np.ones(2))


@pytest.mark.parametrize(
    ('crop', 'shape', 'bounds'),
    [
        # 375 x .40810811 = 153.04, x .99189189 = 371.96; 1242 x .03594771 = 44.6, .964.. = 1197.3
        ('garg', (375, 1242), (153, 371, 44, 1197)),
        ('garg', (370, 1226), (151, 366, 44, 1181)),
        ('eigen', (375, 1242), (124, 342, 44, 1197)),
        ('none', (375, 1242), (0, 375, 0, 1242)),
        (None, (3, 4), (0, 3, 0, 4)),
        ('centre:1152x640', (960, 1280), (160, 800, 64, 1216)),
        ('foggy_cityscapes', (1024, 2048), (256, 768, 192, 1856)),
        ((0.5, 1.0, 0.0, 1.0), (10, 20), (5, 10, 0, 20)),
        ((1, 3, 2, 4), (10, 20), (1, 3, 2, 4)),
    ],
)
def test_crop_bounds(crop, shape, bounds):
    assert F.crop_bounds(crop, shape) == bounds


@pytest.mark.parametrize('crop', ['grag', 'centre:12', 'centre:1152x640', (0, 9, 0, 9), (1, 2, 3)])
def test_crop_errors_name_the_crop(crop):
    with pytest.raises(ValueError, match=str(crop).replace('(', r'\(').replace(')', r'\)')):
        F.crop_bounds(crop, (4, 4))


def test_valid_pixels_rows_and_exclusive_bounds():
    gt = np.full((375, 1242), 10.0, np.float32)
    index, depth = F.valid_pixels(gt, 1e-3, 80, 'garg')
    rows, columns = np.unravel_index(index, gt.shape)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (153, 370, 44, 1196)
    assert depth.dtype == np.float64
    gt = np.array([[0, 1e-3, 80, 79.9, np.nan, np.inf, -1]])
    assert F.valid_pixels(gt, 1e-3, 80)[0].tolist() == [3]
    assert F.valid_pixels(gt, 0, np.inf)[0].tolist() == [1, 2, 3]


def test_resize_is_half_pixel_on_inverse_depth():
    # an affine inverse depth stays affine: x' = (x + .5) * 1/2 - .5
    columns = np.arange(8.0)
    small = np.broadcast_to(1 + columns, (4, 8))
    large = F.resize_inverse_depth(small, (8, 16))
    expected = 1 + (np.arange(16) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(large[3, 1:-1], expected[1:-1], atol=1e-6)
    assert large.dtype == np.float32
    noise = np.random.default_rng(1).random((24, 80)).astype(np.float32)
    torch_way = torch.nn.functional.interpolate(
        torch.from_numpy(noise)[None, None], (37, 124), mode='bilinear', align_corners=False
    )[0, 0]
    ours = F.resize_inverse_depth(noise, (37, 124))
    np.testing.assert_allclose(ours, torch_way.numpy(), atol=1e-5)
    np.testing.assert_array_equal(ours, cv2.resize(noise, (124, 37)))


def test_to_numpy_takes_tensors_and_refuses_stacks():
    assert F.to_numpy(torch.zeros(1, 3, 4, dtype=torch.bfloat16)).shape == (3, 4)
    with pytest.raises(ValueError, match=r'\(2, 3, 4\)'):
        F.to_numpy(np.zeros((2, 3, 4)))


def test_median_alignment():
    gt = np.random.default_rng(0).uniform(2, 70, 1000)
    np.testing.assert_allclose(F.align_depth(3 * gt, gt, 'median'), gt, rtol=1e-14)
    assert F.scale_ratio(3 * gt, gt) == pytest.approx(1 / 3)
    # the fit leaves out what is not usable, and NaN comes out as NaN for clipping to judge
    pred = 3 * gt
    pred[:100] = np.nan
    pred[100:150] = -5
    aligned = F.align_depth(pred, gt, 'median')
    ratio = np.median(gt[150:]) / np.median(3 * gt[150:])
    np.testing.assert_allclose(aligned[150:], 3 * gt[150:] * ratio)
    assert np.isnan(aligned[:100]).all()


def test_least_squares_alignment_undoes_an_affine_disparity():
    gt = np.random.default_rng(0).uniform(2, 70, 1000)
    pred = 1 / (0.7 / gt + 0.2)
    np.testing.assert_allclose(F.align_depth(pred, gt, 'least_squares'), gt, rtol=1e-9)
    # with noise: the same as numpy's own least squares
    noisy = 0.7 / gt + 0.2 + np.random.default_rng(1).normal(0, 0.01, gt.size)
    system = np.stack([noisy, np.ones_like(noisy)], 1)
    slope, shift = np.linalg.lstsq(system, 1 / gt, rcond=None)[0]
    with np.errstate(divide='ignore'):
        expected = 1 / np.maximum(slope * noisy + shift, 0)
    np.testing.assert_allclose(F.align_depth(1 / noisy, gt, 'least_squares'), expected, rtol=1e-9)


def test_least_squares_alignment_of_a_constant_is_the_mean_inverse():
    gt = np.array([1.0, 2.0, 4.0])
    aligned = F.align_depth(np.full(3, 7.3), gt, 'least_squares')
    np.testing.assert_allclose(aligned, 1 / np.mean(1 / gt))


def test_fixed_and_no_alignment():
    pred, gt = np.array([1.0, 2.0]), np.array([9.0, 9.0])
    np.testing.assert_array_equal(F.align_depth(pred, gt, 'fixed', 5.4), pred * 5.4)
    np.testing.assert_array_equal(F.align_depth(pred, gt, 'none'), pred)
    with pytest.raises(ValueError, match='mean'):
        F.align_depth(pred, gt, 'mean')


def test_clip_leaves_what_was_not_computed():
    values = np.array([np.nan, -1, 0, 5, 100, np.inf])
    np.testing.assert_array_equal(F.clip_depth(values, 0.1, 80), [np.nan, 0.1, 0.1, 5, 80, 80])


def test_what_counts_as_computed():
    assert F.is_computed(np.array([1, np.inf, 0])) and F.is_computed(np.ones((2, 2), np.float32))
    for values in ([1, np.nan], [np.inf, np.inf], [0, -1], []):
        assert not F.is_computed(np.array(values))

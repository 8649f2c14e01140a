"""Protocols are data, and align before they clip."""

import math

import numpy as np
import pytest

from mmscd.evaluation import (
    METRIC_NAMES,
    PROTOCOLS,
    DepthProtocol,
    depth_errors,
    evaluate_depth,
    get_protocol,
)
from mmscd.registry import METRICS


def test_published_presets():
    eigen = get_protocol('kitti_eigen')
    assert (eigen.crop, eigen.gt_bounds, eigen.alignment) == ('garg', (1e-3, 80), 'median')
    assert (eigen.min_depth, eigen.max_depth) == (1e-3, 80)
    improved = get_protocol('kitti_eigen_improved')
    assert (improved.crop, improved.gt_bounds, improved.max_depth) == ('none', (0, math.inf), 80)
    assert get_protocol('kitti_eigen_stereo').alignment == 'none'
    assert get_protocol('nuscenes_night').gt_bounds == (1e-5, 60)
    assert get_protocol('robotcar_night_40m').crop == 'centre:1152x640'
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())


def test_overrides_change_the_name():
    changed = get_protocol(dict(preset='kitti_eigen', crop='none', max_depth=50.0, alignment=None))
    assert changed.name == 'kitti_eigen (modified)'
    assert (changed.crop, changed.gt_bounds, changed.alignment) == ('none', (1e-3, 50), 'median')
    assert get_protocol(dict(preset='kitti_eigen', crop='garg')) == PROTOCOLS['kitti_eigen']
    assert get_protocol(dict(max_depth=10.0)).name == 'custom'


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: get_protocol('kiti_eigen'), "unknown protocol 'kiti_eigen'.*'kitti_eigen'"),
        (lambda: get_protocol(dict(preset='eigen')), "unknown protocol 'eigen'.*'kitti_eigen'"),
        (lambda: get_protocol(dict(preset='default', croop='none')), "'croop'.*'crop'"),
        (lambda: get_protocol(dict(max_dept=9)), "'max_dept'.*'max_depth'"),
        (lambda: DepthProtocol(alignment='mean'), 'mean'),
        (lambda: DepthProtocol(min_depth=0), 'gt_min=0'),
        (lambda: DepthProtocol(scale=-1), 'scale'),
        (lambda: DepthProtocol(scale=5.4), "scale is of the alignment 'fixed', got 'median'"),
    ],
)
def test_errors_say_what_came(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize('metric', ['DepthMetric', 'EdgeMetric'])
def test_fields_beside_the_protocol_are_refused_with_the_new_form(metric):
    new = r"protocol=dict\(preset='kitti_eigen', max_depth=50, crop='none'\)"
    with pytest.raises(TypeError, match=f'{metric}: max_depth, crop belong to {new}'):
        METRICS.build(dict(type=metric, protocol='kitti_eigen', max_depth=50, crop='none'))
    with pytest.raises(TypeError, match=f'{metric} has no argument max_dept'):
        METRICS.build(dict(type=metric, max_dept=50))
    built = METRICS.build(dict(type=metric, protocol=dict(preset='ddad', alignment='none')))
    assert (built.protocol.max_depth, built.protocol.alignment) == (200, 'none')


def test_aligns_unclipped_inside_the_crop_then_clips():
    rng = np.random.default_rng(0)
    gt = rng.uniform(1, 100, (375, 1242)).astype(np.float32) * (rng.random((375, 1242)) < 0.05)
    pred = rng.uniform(1, 100, gt.shape) * 7  # mostly above the cap before it is aligned
    result = evaluate_depth(pred, gt, get_protocol('kitti_eigen'))
    mask = (gt > 1e-3) & (gt < 80)
    crop = np.zeros_like(mask)
    crop[153:371, 44:1197] = True
    mask &= crop
    ratio = np.median(gt[mask].astype(np.float64)) / np.median(pred[mask])
    expected = depth_errors(np.clip(pred[mask] * ratio, 1e-3, 80), gt[mask])
    assert {key: result[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    assert result['scale_ratio'] == pytest.approx(ratio)
    assert result['n_pixels'] == mask.sum()


def test_ratio_is_reported_where_nothing_is_aligned():
    gt = np.full((4, 4), 10.0)
    result = evaluate_depth(gt / 2, gt, get_protocol(dict(preset='default', alignment='none')))
    assert result['scale_ratio'] == pytest.approx(2)
    assert result['abs_rel'] == pytest.approx(0.5)


def test_empty_ground_truth_and_broken_predictions():
    protocol = get_protocol('default')
    assert evaluate_depth(np.ones((4, 4)), np.zeros((4, 4)), protocol) is None
    gt = np.full((4, 4), 10.0)
    pred = gt.copy()
    pred[0, 0], pred[0, 1], pred[0, 2] = 0, -3, np.inf
    result = evaluate_depth(pred, gt, protocol)
    assert result['n_unusable'] == 3
    # 0 and negative count as 1 mm, infinity as 80 m
    assert result['abs_rel'] == pytest.approx((2 * (10 - 1e-3) / 10 + 7) / 16)
    # one NaN, or nothing to align: there is no number
    for place, value, bad in (((0, 0), np.nan, 1), (..., np.nan, 16), (..., -1, 16)):
        pred = gt.copy()
        pred[place] = value
        result = evaluate_depth(pred, gt, protocol)
        assert (result['n_unusable'], result['n_pixels']) == (bad, 16)
        assert all(math.isnan(result[name]) for name in (*METRIC_NAMES, 'scale_ratio'))
    with pytest.raises(ValueError, match='resize'):
        evaluate_depth(np.ones((2, 4)), gt, protocol)

"""The hole rate against counts by hand and a loop."""

import math

import numpy as np
import pytest

from mmscd.evaluation.functional import hole_rate


def test_by_hand():
    gt = np.array([10.0, 10, 10, 10, 0, 10])
    pred = np.array([14.9, 15.0, 15.1, 80, 80, 80])
    movable = np.array([1, 1, 1, 1, 1, 0], bool)
    # 15.0 is not further than 1.5 times; the fifth has no truth, the last does not move
    assert hole_rate(pred, gt, movable) == 2 / 4
    assert hole_rate(pred, gt, movable, factor=1.4) == 4 / 4


def test_against_a_loop():
    rng = np.random.default_rng(0)
    gt = rng.uniform(1, 80, (9, 13)) * (rng.random((9, 13)) < 0.7)
    pred = rng.uniform(1, 160, (9, 13))
    movable = rng.random((9, 13)) < 0.4
    holes = count = 0
    for p, g, m in zip(pred.flat, gt.flat, movable.flat, strict=True):
        if m and g > 0:
            count += 1
            holes += p > 1.5 * g
    assert hole_rate(pred, gt, movable) == pytest.approx(holes / count, abs=1e-15)


def test_infinity_is_a_hole_and_nan_is_no_number():
    gt, every = np.full(4, 5.0), np.ones(4, bool)
    assert hole_rate(np.array([5, np.inf, np.inf, 5]), gt, every) == 0.5
    assert math.isnan(hole_rate(np.array([5, np.nan, np.inf, 5]), gt, every))
    assert hole_rate(np.array([5, np.nan, np.inf, 5]), gt, every & [1, 0, 1, 1]) == 1 / 3
    assert math.isnan(hole_rate(gt, gt, ~every))
    assert math.isnan(hole_rate(gt, np.array([0, np.nan, np.inf, -1]), every))
    with pytest.raises(ValueError, match='pred has shape'):
        hole_rate(gt[:3], gt, every)

"""Depth edges on synthetic steps and planes, and the distances against plain loops."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from mmscd.evaluation.edges import EdgeDetector, comparable_pixels, compare_edges, distance_to
from mmscd.evaluation.metrics.edge_metric import EDGE_METRICS, EdgeMetric
from mmscd.registry import METRICS
from mmscd.structures import DepthDataSample

SHAPE = (60, 90)


def step(near, far, column=40, shape=SHAPE):
    depth = np.full(shape, float(far))
    depth[:, :column] = near
    return depth


def edges_of(depth, **options):
    return EdgeDetector(**options)(1 / depth)


@pytest.mark.parametrize(('near', 'far'), [(10, 20), (20, 10), (2, 70), (10, 12.6)])
def test_a_step_is_one_thin_line_where_depth_jumps(near, far):
    edges = edges_of(step(near, far))
    rows, columns = np.nonzero(edges)
    assert set(columns) <= {39, 40}
    assert (edges.sum(1) == 1).all() and len(set(rows)) == SHAPE[0]
    assert (edges_of(step(near, far).T).T == edges).all()


def test_the_factor_is_the_threshold_whatever_the_scale():
    for scale in (0.01, 1, 300):
        for ratio in (1.25, 2.0):
            assert edges_of(scale * step(5, 5 * ratio * 1.03), ratio=ratio).any()
            assert not edges_of(scale * step(5, 5 * ratio * 0.97), ratio=ratio).any()


def test_planes_have_no_edges_and_creases_neither():
    v, u = np.indices(SHAPE)
    road = 1 / np.maximum(v - 8.3, 1.0)  # up to its end just below the horizon
    wall = 1 / (0.02 + 0.004 * u)
    assert not edges_of(wall).any()
    assert not edges_of(road[10:]).any()
    # two walls that meet at a corner: the slope of inverse depth jumps, depth does not
    corner = 1 / (0.05 + 0.004 * np.abs(u - 45.0))
    assert not edges_of(corner).any()
    # but a box on the road has edges
    scene = road[10:].copy()
    scene[10:30, 30:50] = scene[30, 0]
    assert edges_of(scene)[12:26, 28:32].any(1).all()


def test_hysteresis_follows_an_edge_down_to_the_weak_factor():
    far = np.linspace(2.0, 1.0, 60)[:, None]
    depth = np.where(np.arange(90)[None] < 40, 1.0, far)
    rows = {
        weak: np.flatnonzero(edges_of(depth, ratio=1.5, weak_ratio=weak)[:, 38:42].any(1))
        for weak in (1.5, 1.2)
    }
    assert far[rows[1.5].max(), 0] == pytest.approx(1.5, abs=0.05)
    assert far[rows[1.2].max(), 0] == pytest.approx(1.2, abs=0.05)
    # a weak one alone is none
    assert not edges_of(step(5, 5 * 1.3), ratio=1.5, weak_ratio=1.2).any()


def test_a_thin_pole_has_two_edges():
    depth = step(20, 20)
    depth[:, 50:53] = 8
    columns = np.flatnonzero(edges_of(depth).any(0))
    assert columns.min() in (48, 49, 50) and columns.max() in (52, 53, 54)
    assert edges_of(depth).sum() == 2 * SHAPE[0]


def naive_compare(pred, gt, limit):
    def nearest(point, others):
        return min(((point[0] - r) ** 2 + (point[1] - c) ** 2) ** 0.5 for r, c in others)

    true, found = np.argwhere(gt), np.argwhere(pred)
    distances = [nearest(point, true) for point in found]
    close = [d for d in distances if d < limit]
    back = [min(limit, nearest(point, found)) if len(found) else limit for point in true]
    return dict(
        edge_accuracy=np.mean(close) if close else limit,
        edge_completeness=np.mean(back),
        edge_precision=len(close) / len(distances) if distances else 0.0,
        n_edges=len(true),
    )


@pytest.mark.parametrize('share', [0.0, 0.002, 0.02])
def test_distances_equal_plain_loops(share):
    rng = np.random.default_rng(4)
    gt, pred = rng.random(SHAPE) < 0.004, rng.random(SHAPE) < share
    for limit in (10.0, 3.5):
        expected = naive_compare(pred, gt, limit)
        assert compare_edges(pred, gt, max_distance=limit) == pytest.approx(expected, rel=1e-5)
    # faint true edges may be found, and need not
    faint = rng.random(SHAPE) < 0.01
    both = compare_edges(pred, gt, faint)
    wide = naive_compare(pred, gt | faint, 10.0)
    for key in ('edge_accuracy', 'edge_precision'):
        assert both[key] == pytest.approx(wide[key], rel=1e-5)
    expected = naive_compare(pred, gt, 10.0)
    for key in ('edge_completeness', 'n_edges'):
        assert both[key] == pytest.approx(expected[key], rel=1e-5)
    assert compare_edges(gt, gt) == dict(
        edge_accuracy=0, edge_completeness=0, edge_precision=1, n_edges=gt.sum()
    )
    assert compare_edges(pred, np.zeros(SHAPE, bool)) is None
    assert np.isinf(distance_to(np.zeros(SHAPE, bool))).all()


def test_a_shifted_edge_is_as_far_away_as_it_was_shifted():
    metric = EdgeMetric()
    gt = step(10, 20)
    for shift in (0, 1, 4, 9):
        judged, state = metric.judge(0.03 * step(10, 20, 40 + shift), gt)
        assert state == 'ok' and judged['n_edges'] == SHAPE[0]
        assert judged['edge_accuracy'] == pytest.approx(shift)
        assert judged['edge_completeness'] == pytest.approx(shift)
        assert judged['edge_precision'] == 1
    # too far away: no edge there, all found ones are wrong
    judged, _ = metric.judge(step(10, 20, 60), gt)
    assert judged == dict(
        edge_accuracy=10, edge_completeness=10, edge_precision=0, n_edges=SHAPE[0]
    )
    # a flat prediction has none at all; a washed-out jump is none
    ramp = np.interp(np.arange(90), [15, 65], [10, 20])[None].repeat(60, 0)
    for pred in (np.full(SHAPE, 3.0), ramp):
        assert metric.judge(pred, gt)[0]['edge_completeness'] == 10


def test_holes_and_what_is_near_them_do_not_count():
    gt = step(10, 20)
    gt[:20] = 0
    margin = EdgeDetector().margin
    judged, _ = EdgeMetric().judge(step(10, 20), gt)
    assert judged['n_edges'] == 60 - 20 - margin
    assert judged['edge_accuracy'] == 0 and judged['edge_completeness'] == 0
    valid = np.ones((30, 30), bool)
    valid[10, 12] = False
    naive = np.array(
        [[valid[max(0, r - 3) : r + 4, max(0, c - 3) : c + 4].all() for c in range(30)]
         for r in range(30)]
    )  # fmt: skip
    assert (comparable_pixels(valid, 3) == naive).all()


def test_soft_edges_are_found_and_faint_true_ones_are_no_mistake():
    columns = np.arange(90) - 39.5
    soft = 1 / (0.075 - 0.025 * np.tanh(columns / 5))[None].repeat(60, 0)
    judged, _ = EdgeMetric().judge(soft, step(20, 10)[:, ::-1])
    # the true edge is mirrored to 49.5
    assert judged['edge_completeness'] == pytest.approx(10, abs=0.5)
    judged, _ = EdgeMetric().judge(soft, step(10, 20))
    assert judged['edge_completeness'] < 1.5 and judged['edge_precision'] == 1
    # with the thresholds of the truth it would be missed
    judged, _ = EdgeMetric(pred_ratio=1.25, pred_sigma=2**0.5).judge(soft, step(10, 20))
    assert judged['edge_completeness'] == 10
    # a perfect prediction of a scene with a step below the threshold
    scene = np.minimum(step(10, 20), step(8, 50, 12))
    scene[:, 70:] *= 1.15
    judged, _ = EdgeMetric().judge(scene, scene)
    assert judged['edge_precision'] == 1 and judged['edge_completeness'] == 0
    with pytest.raises(ValueError, match='more than 1'):
        EdgeDetector(0.5)
    with pytest.raises(ValueError, match='weak_ratio'):
        EdgeDetector(weak_ratio=1.5)


def sample(i, gt, pred):
    data = DepthDataSample(metainfo=dict(sample_idx=i, img_path=f'{i}.png'))
    data.gt_depth = PixelData(data=torch.from_numpy(gt.astype(np.float32))[None])
    data.pred_depth = PixelData(data=torch.from_numpy(pred.astype(np.float32))[None])
    return data


def evaluate(samples, **options):
    evaluator = Evaluator(METRICS.build(dict(type='EdgeMetric', **options)))
    for one in samples:
        evaluator.process([one])
    return evaluator.evaluate(len(samples))


def test_metric_leaves_out_sparse_and_edgeless_images(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmscd.evaluation.metrics.base.print_log', lambda text, *_, **__: lines.append(text)
    )
    gt = step(10, 20)
    sparse = gt * (np.random.default_rng(0).random(SHAPE) < 0.05)
    samples = [
        sample(0, gt, step(10, 20, 42)),
        sample(1, gt, step(10, 20, 44)),
        sample(2, sparse, gt),
        sample(3, np.full(SHAPE, 5.0), gt),
    ]
    metrics = evaluate([*samples, samples[1]])
    assert metrics['edge_accuracy'] == pytest.approx(3)
    counts = [metrics[f'edge_n_{key}'] for key in ('images', 'sparse', 'edgeless')]
    assert counts == [2, 1, 1]
    assert '1 of 4 images have no ground truth, or sparse one' in lines[0] and 'LiDAR' in lines[0]
    metrics = evaluate(samples[2:3])
    assert np.isnan(metrics['edge_accuracy']) and metrics['edge_n_sparse'] == 1


def test_a_prediction_that_is_not_finite_leaves_no_mean(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmscd.evaluation.metrics.base.print_log', lambda text, *_, **__: lines.append(text)
    )
    gt, pred = step(10, 20), step(10, 20)
    pred[0, 0] = np.nan
    metrics = evaluate([sample(0, gt, gt), sample(1, gt, pred)])
    assert (metrics['edge_n_images'], metrics['edge_n_not_finite']) == (2, 1)
    assert np.isnan([metrics[key] for key in EDGE_METRICS]).all()
    assert '1 of 2 predictions are not finite' in lines[0]


def test_a_fixed_scale_is_that_of_the_protocol():
    """The clip at 4 m cuts the far side away, unless the prediction is brought to scale first."""
    fixed = dict(preset='default', alignment='fixed', scale=5.0, min_depth=4.0)
    errors, state = EdgeMetric(fixed).judge(step(10, 20) / 5, step(10, 20))
    assert state == 'ok' and errors['edge_accuracy'] == errors['edge_completeness'] == 0


def test_options_are_checked():
    for options, text in (
        (dict(ratio=1.0), 'more than 1'),
        (dict(pred_ratio=0.9), 'more than 1'),
        (dict(sigma=0), 'sigma'),
        (dict(max_distance=0), 'max_distance'),
        (dict(min_density=0), 'min_density'),
        (dict(protocol=dict(preset='default', alignment='least_squares')), 'shift'),
    ):
        with pytest.raises(ValueError, match=text):
            EdgeMetric(**options)

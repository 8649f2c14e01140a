"""Bootstrap intervals against theory and plain loops, and conditions, through DepthMetric."""

import json

import numpy as np
import pytest

from mmscd.evaluation.bootstrap import (
    Bootstrap,
    build_bootstrap,
    metric_intervals,
)
from mmscd.evaluation.comparison import paired_differences
from mmscd.evaluation.functional import METRIC_NAMES
from mmscd.evaluation.samples import group_by_condition, read_conditions


def test_interval_of_a_mean_has_the_width_of_theory():
    values = np.random.default_rng(0).normal(3, 2, 400)
    low, high = Bootstrap(4000).interval(values)
    error = values.std() / 400**0.5
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    narrow = Bootstrap(4000, confidence=0.5).interval(values)
    assert low < narrow[0] < values.mean() < narrow[1] < high


def test_draws_are_seeded_shared_by_columns_and_equal_a_loop():
    values = np.random.default_rng(1).uniform(size=(13, 2))
    values[:, 1] = 2 * values[:, 0]
    ends = np.array(Bootstrap(200, seed=7).interval(values))
    rng = np.random.default_rng(7)
    draws = rng.integers(0, 13, (200, 13))
    loop = [np.mean([values[i] for i in draw], 0) for draw in draws]
    assert ends == pytest.approx(np.quantile(loop, [0.025, 0.975], axis=0), rel=1e-12)
    assert ends[:, 1] == pytest.approx(2 * ends[:, 0])
    assert (ends == Bootstrap(200, seed=7).interval(values)).all()
    assert (ends != Bootstrap(200, seed=8).interval(values)).any()
    # one image has no spread
    assert Bootstrap().interval(np.array([4.0])) == (4.0, 4.0)


def test_chunks_change_nothing(monkeypatch):
    values = np.random.default_rng(2).uniform(size=20)
    whole = Bootstrap(300).interval(values)
    monkeypatch.setattr('mmscd.evaluation.bootstrap._CHUNK', 20 * 7)
    assert Bootstrap(300).interval(values) == pytest.approx(whole)


def records(seed, count=30, shift=0.0):
    rng = np.random.default_rng(seed)
    return [{name: rng.uniform() + shift for name in METRIC_NAMES} for _ in range(count)]


def test_paired_difference_is_narrower_than_the_two_intervals():
    hard = records(0)
    better = [{name: value - 0.02 for name, value in record.items()} for record in hard]
    own, other = metric_intervals(better, Bootstrap()), metric_intervals(hard, Bootstrap())
    assert own['abs_rel_high'] > other['abs_rel_low']  # they overlap
    compared = paired_differences(better, hard, Bootstrap())
    for name in METRIC_NAMES:
        ends = [compared[f'{name}{end}'] for end in ('', '_low', '_high')]
        assert ends == pytest.approx([-0.02] * 3)
    assert metric_intervals([*hard, None], Bootstrap()) == other
    with pytest.raises(ValueError, match='same images'):
        paired_differences(hard, hard[1:], Bootstrap())


def test_options():
    assert build_bootstrap(None) is None and build_bootstrap(False) is None
    assert build_bootstrap(True) == Bootstrap()
    assert build_bootstrap(500) == Bootstrap(500)
    assert build_bootstrap(dict(seed=3, confidence=0.9)) == Bootstrap(2000, 0.9, 3)
    assert Bootstrap().label == '95 %'
    for option, text in (
        (50, 'at least 100'),
        (dict(confidence=95), 'between 0 and 1'),
        (dict(samples=3), 'num_resamples, confidence and seed'),
    ):
        with pytest.raises(ValueError, match=text):
            build_bootstrap(option)
    with pytest.raises(ValueError, match='not finite'):
        Bootstrap().interval(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match='N > 0'):
        Bootstrap().interval(np.zeros((0, 3)))


def test_conditions_of_samples():
    assert read_conditions({}, 'condition') == ()
    assert read_conditions(dict(condition='night'), 'condition') == ('night',)
    both = read_conditions(dict(weather=['rain', 'night', 'rain']), 'weather')
    assert both == ('rain', 'night')
    for value in (3, ['night', 4], '', 'a/b'):
        with pytest.raises(ValueError, match='condition'):
            read_conditions(dict(condition=value), 'condition')
    listed = [dict(i=0, conditions=both), dict(i=1, conditions=('day',)), dict(i=2, conditions=())]
    groups = {name: [r['i'] for r in group] for name, group in group_by_condition(listed).items()}
    assert groups == dict(day=[1], night=[0], rain=[0], other=[2])
    assert list(groups)[-1] == 'other'
    assert group_by_condition(listed[2:]) == {}


def make(i, condition):
    from mmengine.structures import PixelData
    from torch import from_numpy

    from mmscd.structures import DepthDataSample

    rng = np.random.default_rng(i)
    sample = DepthDataSample(metainfo=dict(sample_idx=i, img_path=f'{i}.png'))
    if condition:
        sample.set_metainfo(dict(condition=condition))
    for name in ('gt_depth', 'pred_depth'):
        data = rng.uniform(2, 40, (1, 12, 20)).astype(np.float32)
        if i == 9 and name == 'gt_depth':
            data *= 0
        setattr(sample, name, PixelData(data=from_numpy(data)))
    return sample


def evaluate(samples, **kwargs):
    from mmengine.evaluator import Evaluator

    from mmscd.evaluation import DepthMetric

    evaluator = Evaluator(DepthMetric('default', **kwargs))
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_depth_metric_with_conditions_and_intervals(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmscd.evaluation.metrics.base.print_log', lambda text, *_, **__: lines.append(text)
    )
    named = ['day', 'night', ['night', 'rain'], 'day', 'day', 'night']
    samples = [make(i, name) for i, name in enumerate(named)] + [make(9, 'fog')]
    table, images = tmp_path / 'table.json', tmp_path / 'images.json'
    options = dict(bootstrap=dict(num_resamples=300, seed=5), table_path=table)
    metrics = evaluate(
        samples, per_image_path=images, references=[dict(type='constant')], **options
    )
    plain = evaluate([make(i, None) for i in range(6)])
    assert {key: metrics[key] for key in plain if key != 'n_empty'} == {
        key: value for key, value in plain.items() if key != 'n_empty'
    }
    for name, chosen in dict(day=(0, 3, 4), night=(1, 2, 5), rain=(2,)).items():
        alone = evaluate([make(i, None) for i in chosen], bootstrap=dict(num_resamples=300, seed=5))
        for key in METRIC_NAMES:
            for end in ('', '_low', '_high'):
                assert metrics[f'{name}/{key}{end}'] == pytest.approx(alone[f'{key}{end}'])
        assert metrics[f'{name}/n_images'] == len(chosen)
    assert metrics['fog/n_images'] == 0 and 'fog/abs_rel' not in metrics
    assert metrics['abs_rel_low'] < metrics['abs_rel'] < metrics['abs_rel_high']
    text = '\n'.join(lines)
    assert '95 % from' in text and 'model, night (3)' in text
    rows = json.loads(table.read_text())['rows']
    assert [row['key'] for row in rows] == ['model', 'constant', *['condition'] * 3]
    assert rows[0]['abs_rel_low'] == metrics['abs_rel_low']
    content = json.loads(images.read_text())
    assert content['images'][2]['conditions'] == 'night rain'
    assert content['summary']['rain/abs_rel'] == metrics['rain/abs_rel']

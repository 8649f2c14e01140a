"""DEE, CE, mCE, RR, mRR: golden numbers of RoboDepth, and what is refused."""

import csv
import json
import math

import pytest

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.robustness.scores import (
    MONODEPTH2_DEE,
    average_severities,
    corruption_errors,
    depth_estimation_error,
    mean_of,
    resilience_rates,
    score_robustness,
)
from mmscd.robustness.tables import make_comparison_table, make_corruption_table, write_robustness

# docs/results/kitti_c/MonoViT_mono_640x192.md of RoboDepth, row DEE_2, clean first
MONOVIT_DEE = dict(
    zip(
        ('clean', *CORRUPTIONS),
        (0.099, 0.106, 0.243, 0.116, 0.213, 0.275, 0.119, 0.180, 0.204, 0.163, 0.179, 0.118, 0.146,
         0.310, 0.293, 0.271, 0.290, 0.162, 0.154),
        strict=True,
    )
)  # fmt: skip


def passes_of(abs_rel, delta1):
    passes = {('clean', 0): dict(abs_rel=0.1, delta1=0.9)}
    for name in CORRUPTIONS:
        for s in SEVERITIES:
            passes[name, s] = dict(abs_rel=abs_rel * s, delta1=delta1 - 0.1 * s)
    return passes


def test_baseline_has_all_corruptions_in_order():
    assert list(MONODEPTH2_DEE) == ['clean', *CORRUPTIONS]


def test_dee_from_abs_rel_and_delta1():
    # the published clean row of Monodepth2: 0.115 and 0.877
    assert depth_estimation_error(0.115, 0.877) == pytest.approx(0.119)
    assert depth_estimation_error(0, 1) == 0
    with pytest.raises(ValueError, match='87.7'):
        depth_estimation_error(0.115, 87.7)


@pytest.mark.parametrize(
    'dee, mce, mrr', [(MONODEPTH2_DEE, 100.00, 84.46), (MONOVIT_DEE, 79.33, 89.15)]
)
def test_golden_numbers(dee, mce, mrr):
    assert round(mean_of(corruption_errors(dee, MONODEPTH2_DEE).values()), 2) == mce
    assert round(mean_of(resilience_rates(dee).values()), 2) == mrr


def test_published_ce_and_rr_of_single_corruptions():
    errors = corruption_errors(MONOVIT_DEE, MONODEPTH2_DEE)
    rates = resilience_rates(MONOVIT_DEE)
    # the published table: CE_2 and RR_2
    for name, ce, rr in (('brightness', 0.8154, 0.9922), ('snow', 0.5382, 0.8047),
                         ('pixelate', 1.1172, 0.9301)):  # fmt: skip
        assert errors[name] == pytest.approx(100 * ce, abs=0.005)
        assert rates[name] == pytest.approx(100 * rr, abs=0.005)


def test_severities_are_averaged():
    rows = average_severities(passes_of(0.1, 1.0))
    assert rows['fog']['abs_rel'] == pytest.approx(0.3)
    assert rows['fog']['delta1'] == pytest.approx(0.7)
    assert rows['fog']['dee'] == pytest.approx(0.3)
    assert rows['clean']['dee'] == pytest.approx(0.1)
    summary = score_robustness(rows, dict.fromkeys(CORRUPTIONS, 0.6))
    assert summary['mce'] == pytest.approx(50)
    assert summary['mrr'] == pytest.approx(100 * 0.7 / 0.9)
    assert summary['mean_dee'] == pytest.approx(0.3)
    assert summary['n_corruptions'] == 18


def test_a_missing_pass_is_named():
    passes = passes_of(0.1, 1.0)
    del passes['snow', 4]
    with pytest.raises(KeyError, match="snow', 4"):
        average_severities(passes)
    assert 'fog' in average_severities(passes, ['fog'])


def test_senseless_baselines_are_refused():
    with pytest.raises(KeyError, match='fog'):
        corruption_errors(dict(fog=0.2), dict(snow=0.2))
    with pytest.raises(ValueError, match='positive'):
        corruption_errors(dict(fog=0.2), dict(fog=0.0))
    with pytest.raises(ValueError, match='below 1'):
        resilience_rates(dict(clean=1.2, fog=0.2))


@pytest.mark.parametrize('broken', [('clean', 0), ('fog', 3)])
def test_what_was_not_computed_has_no_score(broken):
    passes = passes_of(0.1, 1.0)
    passes[broken] = dict(abs_rel=math.nan, delta1=math.nan)
    rows = average_severities(passes)
    summary = score_robustness(rows, {name: row['dee'] for name, row in rows.items()})
    assert math.isnan(summary['mrr']) and math.isnan(rows[broken[0]]['dee'])
    assert math.isnan(summary['mce']) == (broken[0] == 'fog')
    assert rows['snow']['dee'] == pytest.approx(0.3)
    assert 'nan' not in make_corruption_table(rows, summary, 'title')


def test_without_a_baseline_there_is_no_ce():
    rows = average_severities(passes_of(0.1, 1.0))
    summary = score_robustness(rows, None)
    assert math.isnan(summary['mce']) and math.isfinite(summary['mrr'])
    table = make_corruption_table(rows, summary, 'title')
    assert 'mCE -' in table and 'title' in table


def test_tables_and_files(tmp_path):
    passes = passes_of(0.1, 1.0)
    rows = average_severities(passes)
    summary = score_robustness(rows, MONODEPTH2_DEE)
    table = make_corruption_table(rows, summary, 'x')
    assert all(name in table for name in ('clean', *CORRUPTIONS))
    assert f'mCE {summary["mce"]:.2f}' in table and f'mRR {summary["mrr"]:.2f}' in table
    comparison = make_comparison_table(dict(one=(rows, summary), two=(rows, summary)))
    assert 'one' in comparison and 'two' in comparison
    write_robustness(tmp_path, dict(seed=42), dict(m=(rows, summary)), dict(m=passes))
    content = json.loads((tmp_path / 'summary.json').read_text())
    assert content['models']['m']['summary']['mce'] == pytest.approx(summary['mce'])
    with open(tmp_path / 'corruptions.csv') as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 19 and lines[0]['ce'] == ''
    with open(tmp_path / 'severities.csv') as stream:
        assert len(list(csv.DictReader(stream))) == 91

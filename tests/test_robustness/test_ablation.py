"""Comparison of variants over seeds, against numbers worked out by hand."""

import math

import pytest

from mmscd.robustness.ablation import summarise_ablation


def rows(clean, fog, dark, abs_rel=0.1):
    return dict(clean=dict(abs_rel=abs_rel, dee=clean), fog=dict(dee=fog), dark=dict(dee=dark))


RUNS = dict(
    base={0: rows(0.1, 0.2, 0.4, 0.10), 1: rows(0.1, 0.4, 0.4, 0.12)},
    full={0: rows(0.1, 0.2, 0.2, 0.11)},
)


def test_by_hand():
    base, full = summarise_ablation(RUNS, 'base').values()
    # the baseline: clean .1, fog .3, dark .4, so the excess is .2 + .3
    assert base.excess.mean == pytest.approx(0.5) and base.mce.mean == pytest.approx(100)
    assert base.excess.std == pytest.approx(math.sqrt(2) * 0.1)
    assert full.excess.mean == pytest.approx(0.1 + 0.1)
    assert full.mce.mean == pytest.approx(100 * (0.2 / 0.3 + 0.2 / 0.4) / 2)
    assert full.abs_rel_ratio == pytest.approx(1) and full.seeds == 1
    assert math.isnan(full.excess.std) and str(full.clean_dee) == '0.1000'
    assert base.corrupted_dee == (pytest.approx(0.35), pytest.approx(math.sqrt(2) * 0.05))


def test_no_baseline_and_no_harm():
    with pytest.raises(KeyError, match='no run of the baseline'):
        summarise_ablation(RUNS, 'other')
    for seeds in (1, 2):
        runs = dict(base={seed: rows(0.5, 0.2, 0.2) for seed in range(seeds)})
        unhurt = summarise_ablation(runs, 'base')['base']
        assert unhurt.excess.mean == pytest.approx(-0.6) and unhurt.mce.mean == pytest.approx(100)

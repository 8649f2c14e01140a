"""Paired differences against plain loops, theory, simulations, and what is refused."""

import numpy as np
import pytest

from mmscd.evaluation.bootstrap import Bootstrap
from mmscd.robustness.paired import COST, MEASURES, compare_variants, find_differences
from mmscd.robustness.scores import CLEAN, ImageErrors

NAMES = (CLEAN, 'fog', 'dark')


def errors(rng, images=40, clean=0.2, harm=0.1, seed_effect=0.0, hard=0.0):
    """One judged training; `hard` is by image."""
    noise = seed_effect + hard + rng.normal(0, 0.01, (len(NAMES), images))
    dee = {n: clean + (n != CLEAN) * harm + noise[i] for i, n in enumerate(NAMES)}
    return ImageErrors([str(i) for i in range(images)], dee[CLEAN] / 2, dee)


def runs(seed, count=3, **how):
    rng = np.random.default_rng(seed)
    return {number: errors(rng, **how) for number in range(count)}


def by_name(variant, baseline, **how):
    return {f.measure: f for f in find_differences(variant, baseline, Bootstrap(400), **how)}


def test_against_a_double_loop_over_the_same_draws():
    variant, baseline = runs(0, harm=0.05, images=7), runs(1, images=7)
    bootstrap, found = Bootstrap(100), by_name(variant, baseline, by_corruption=True)
    found = {f.measure: f for f in find_differences(variant, baseline, bootstrap, True)}
    draws = [np.rint(bootstrap._shares(n, i) * n).astype(int) for i, n in enumerate((3, 7))]
    wide = [bootstrap._widening(n) for n in (3, 7)]

    def mean(model, what, seeds, images):
        total = 0.0
        for s in seeds:
            for i in images:
                if what == 'abs_rel':
                    total += float(model[s].abs_rel[i])
                else:
                    total += float(model[s].dee[what][i])
        return total / len(seeds) / len(images)

    def drawn(model, what, row):
        """Mean over what was drawn, and both deviations once more by what they are widened."""
        seeds = [s for s in range(3) for _ in range(draws[0][row, s])]
        images = [i for i in range(7) for _ in range(draws[1][row, i])]
        whole = mean(model, what, range(3), range(7))
        by_seed = mean(model, what, seeds, range(7)) - whole
        by_image = mean(model, what, range(3), images) - whole
        both = mean(model, what, seeds, images)
        return both + (wide[0] - 1) * by_seed + (wide[1] - 1) * by_image

    def measures(value):
        own, base = ({k: value(m, k) for k in ('abs_rel', *NAMES)} for m in (variant, baseline))
        cost = [m['fog'] + m['dark'] - 2 * m[CLEAN] for m in (own, base)]
        excess = own['fog'] + own['dark'] - 2 * base[CLEAN]
        return {
            'clean abs_rel': own['abs_rel'] / base['abs_rel'],
            'corrupted DEE': (own['fog'] + own['dark']) / (base['fog'] + base['dark']),
            COST: cost[0] - cost[1],
            'excess': excess - cost[1],
            'excess share': excess / cost[1],
            'fog': own['fog'] / base['fog'],
            'dark': own['dark'] / base['dark'],
        }

    point = measures(lambda model, what: mean(model, what, range(3), range(7)))
    loop = [measures(lambda m, k, row=row: drawn(m, k, row)) for row in range(100)]
    assert list(found) == list(point)
    for name, finding in found.items():
        assert finding.change == pytest.approx(point[name], rel=1e-10)
        ordered = sorted(one[name] for one in loop)
        # of 100 resamples, the interval leaves out 2 at either end
        assert finding.low == pytest.approx(ordered[2], rel=1e-9)
        assert finding.high == pytest.approx(ordered[97], rel=1e-9)
    excess = found['excess']
    assert excess.variant - excess.baseline == pytest.approx(excess.change)
    assert found['excess share'].change == pytest.approx(excess.variant / excess.baseline)


def test_width_is_that_of_theory():
    """One seed, normal differences: 1.96 s / sqrt(n) to either side."""
    variant, baseline = runs(0, 1, images=500), runs(1, 1, images=500)
    found = find_differences(variant, baseline, Bootstrap(4000))[2]
    differences = sum(m[0].dee[n] - m[0].dee[CLEAN] for m in (variant,) for n in NAMES[1:]) - sum(
        baseline[0].dee[n] - baseline[0].dee[CLEAN] for n in NAMES[1:]
    )
    side = 1.96 * differences.std(ddof=1) / 500**0.5
    assert found.measure == COST and found.change == pytest.approx(differences.mean())
    assert found.high - found.change == pytest.approx(side, rel=0.06)
    assert found.change - found.low == pytest.approx(side, rel=0.06)


@pytest.mark.parametrize('parts', [(0.3, 0.1, 0.1), (0.0, 1.0, 1.0), (0.1, 1.0, 0.5)])
@pytest.mark.parametrize('seeds', [3, 5])
def test_intervals_hold_the_truth(seeds, parts):
    """Two hundred simulations; parts are the deviations of seeds, of images, of both together."""
    rng, bootstrap = np.random.default_rng(seeds), Bootstrap(1000)
    by_seed, by_image, both = (
        part * rng.normal(size=(rows, images, 200))
        for part, rows, images in zip(parts, (seeds, 1, seeds), (1, 40, 40), strict=True)
    )
    drawn = bootstrap.crossed_means(by_seed + by_image + both)
    ends = np.array([bootstrap.ends(one) for one in drawn.T])
    assert ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).sum() >= 180


def test_verdicts():
    hard = np.random.default_rng(5).normal(0, 0.1, 40)
    baseline = runs(0, hard=hard)
    better = by_name(runs(1, hard=hard, harm=0.02, clean=0.19), baseline, by_corruption=True)
    assert {f.verdict for f in better.values()} == {'better'}
    worse = by_name(runs(1, hard=hard, harm=0.2, clean=0.21), baseline)
    assert {f.verdict for f in worse.values()} == {'worse'} and list(worse) == list(MEASURES)
    # beside itself nothing moves, and that decides nothing
    same = by_name(baseline, baseline)
    assert {f.verdict for f in same.values()} == {'undecided'}
    assert all(f.low == f.high == f.change == float(f.is_ratio) for f in same.values())
    # worse on clean images, equal on corrupted ones: cheaper corruption is no smaller excess
    paid = by_name(runs(1, hard=hard, harm=0.05, clean=0.25), baseline)
    assert paid[COST].verdict == 'better' and paid['excess'].verdict == 'undecided'


def test_no_share_of_a_cost_that_may_be_none():
    unhurt, hurt = runs(0, harm=0.0), runs(1, harm=0.1)
    found = by_name(hurt, unhurt)
    assert found['excess share'].verdict == 'undefined' and np.isnan(found['excess share'].change)
    assert found['excess'].verdict == 'worse'
    text, plain = compare_variants(dict(base=unhurt, other=hurt), 'base', True, 'street', 'excess')
    assert 'nan' not in text
    assert all(word in text for word in ('not above 0', 'undefined', 'excess *'))
    assert text.startswith('street: against base, pair by pair: 3 seeds x 40 images, 95 % ')
    assert [row['measure'] for row in plain] == [*MEASURES, 'fog', 'dark']
    # what has no number decides nothing
    broken = runs(1)
    broken[2].dee['fog'][3] = np.nan
    found = by_name(broken, runs(0), by_corruption=True)
    verdicts = {name: f.verdict for name, f in found.items()}
    assert verdicts['fog'] == verdicts['excess'] == 'undefined'
    for pair in (dict(base=broken, new=runs(0)), dict(base=runs(0), new=broken)):
        assert 'nan' not in compare_variants(pair, 'base', True)[0]
    assert verdicts['dark'] != 'undefined' and verdicts['clean abs_rel'] != 'undefined'


def test_few_seeds_and_images_are_said():
    one = compare_variants(dict(base=runs(0, 1), other=runs(1, 1)), 'base')[0]
    assert '1 seed x 40 images' in one and 'images only: seeds were not resampled' in one
    single = by_name(runs(0, 2, images=1, harm=0.5), runs(1, 2, images=1))
    assert {f.verdict for f in single.values()} == {'undefined'}


def test_pairs_are_complete_and_matched_by_name():
    variant, baseline = runs(0), runs(1)
    with pytest.raises(ValueError, match='seed 2 of the variant is missing'):
        by_name(runs(0, 2), baseline)
    with pytest.raises(ValueError, match='seed 2 of the baseline is missing'):
        by_name(variant, runs(1, 2))
    with pytest.raises(ValueError, match='the variant, seed 0, lacks 39'):
        by_name(runs(0, images=39), baseline)
    with pytest.raises(ValueError, match='the baseline lacks 40'):
        by_name(runs(0, images=41), baseline)
    less = runs(0)
    del less[1].dee['fog']
    with pytest.raises(ValueError, match='the variant, seed 1, lacks fog'):
        by_name(less, baseline)
    text, plain = compare_variants(dict(base=baseline, new=runs(0, 1)), 'base')
    assert 'new is not compared: seed 1 of the variant is missing' in text and not plain
    turned = {
        seed: ImageErrors(
            one.images[::-1], one.abs_rel[::-1], {k: v[::-1] for k, v in one.dee.items()}
        )
        for seed, one in variant.items()
    }
    assert by_name(turned, baseline) == by_name(variant, baseline)


def test_the_same_table_every_time():
    variants = dict(base=runs(0), new=runs(1, harm=0.05))
    assert compare_variants(variants, 'base') == compare_variants(variants, 'base')
    other = compare_variants(variants, 'base', bootstrap=Bootstrap(seed=1))
    assert other[1] != compare_variants(variants, 'base')[1]

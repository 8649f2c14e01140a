"""What a variant changes against its baseline, image by image and seed by seed, and how sure it is.

Over C corruptions, with D(m, c) the DEE of model m under corruption c, mean over severities, images
and seeds, b the baseline and 0 the clean images:

- `clean abs_rel`: abs_rel of m on clean images / that of b;
- `corrupted DEE`: sum over c of D(m, c) / sum over c of D(b, c);
- `cost of corruption`: cost(m) - cost(b), where cost(m) = sum over c of (D(m, c) - D(m, 0)): what
  corruption takes from a model beside its own clean images;
- `excess`: excess(m) - excess(b), where excess(m) = sum over c of (D(m, c) - D(b, 0)): what is
  wrong beyond the clean error of the baseline, so that a model which is worse on clean images gains
  nothing by that. excess(b) is cost(b);
- `excess share`: excess(m) / cost(b): 1 is the baseline, 0 no error beyond its clean one. Undefined
  where the interval of cost(b) does not lie above 0: then there is nothing to take a share of.

Lower is better in all. Intervals are those of `Bootstrap.crossed_means`, with the same draws of
seeds and images for both models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmscd.evaluation.bootstrap import Bootstrap
from mmscd.utils.text_table import text_table

from .scores import CLEAN, ImageErrors

COST = 'cost of corruption'
MEASURES = ('clean abs_rel', 'corrupted DEE', COST, 'excess', 'excess share')
_RATIOS = ('clean abs_rel', 'corrupted DEE', 'excess share')  # and each corruption
Seeds = Mapping[int, ImageErrors]


@dataclass(frozen=True)
class Finding:
    """One measure: the baseline's and the variant's, and what changed: variant / baseline where it
    is a ratio, else variant - baseline, with the ends of its interval; NaN where undefined."""

    measure: str
    baseline: float
    variant: float
    is_ratio: bool
    change: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """better, worse, undecided, or undefined."""
        if math.isnan(self.low) or math.isnan(self.high):
            return 'undefined'
        same = float(self.is_ratio)
        return 'better' if self.high < same else 'worse' if self.low > same else 'undecided'


def find_differences(
    variant: Seeds, baseline: Seeds, bootstrap: Bootstrap, by_corruption: bool = False
) -> list[Finding]:
    """A finding per measure, then per corruption; a baseline beside itself has its own numbers.

    ValueError where the two were not trained with the same seeds, or not judged on the same images
    and corruptions.
    """
    _check_pairs(variant, baseline)
    first = baseline[min(baseline)]
    own, other = _stack(variant, first), _stack(baseline, first)
    base = _measure(other, by_corruption)
    change = _measure({name: own[name] - other[name] for name in other}, by_corruption)
    # from both the clean error of the baseline is subtracted
    base['excess'] = base['excess share'] = base[COST]
    values = np.stack([*base.values(), *change.values()], -1)
    means = values.mean((0, 1)).reshape(2, -1).T
    drawn = bootstrap.crossed_means(values).reshape(-1, 2, len(base)).T
    found = []
    for name, (was, delta), (was_drawn, delta_drawn) in zip(base, means, drawn, strict=True):
        is_ratio = name in _RATIOS or name not in MEASURES
        moved = float(delta), *bootstrap.ends(delta_drawn)
        if is_ratio:
            moved = _ratio(was, delta, was_drawn, delta_drawn, bootstrap)
        found.append(Finding(name, float(was), float(was + delta), is_ratio, *moved))
    return found


def cost_to_baseline(baseline: Seeds, bootstrap: Bootstrap) -> tuple[float, float, float]:
    """What corruption costs the baseline, and the ends of its interval."""
    cost = _measure(_stack(baseline, baseline[min(baseline)]), False)[COST]
    return float(cost.mean()), *bootstrap.ends(bootstrap.crossed_means(cost[..., None])[:, 0])


def _check_pairs(variant: Seeds, baseline: Seeds) -> None:
    for seed in sorted(set(variant) ^ set(baseline)):
        who = 'the baseline' if seed in variant else 'the variant'
        raise ValueError(f'seed {seed} of {who} is missing: pairs need the same seeds')
    first = baseline[min(baseline)]
    wanted = {*first.images, *first.dee}
    for who, runs in (('the baseline', baseline), ('the variant', variant)):
        for seed, errors in runs.items():
            have = {*errors.images, *errors.dee}
            for odd in sorted(wanted ^ have):
                lacking = f'{who}, seed {seed},' if odd in wanted else 'the baseline'
                raise ValueError(f'{lacking} lacks {odd}: pairs need the same images, corruptions')


def _stack(runs: Seeds, like: ImageErrors) -> dict[str, np.ndarray]:
    """abs_rel on clean images, DEE by corruption and `clean`: (S, N) each, seeds and images in
    order, that of `like`."""
    ordered = []
    for _, errors in sorted(runs.items()):
        place = {image: i for i, image in enumerate(errors.images)}
        order = [place[image] for image in like.images]
        own = dict(abs_rel=errors.abs_rel) | {name: errors.dee[name] for name in like.dee}
        ordered.append({name: values[order] for name, values in own.items()})
    return {name: np.stack([own[name] for own in ordered]) for name in ordered[0]}


def _measure(errors: dict[str, np.ndarray], by_corruption: bool) -> dict[str, np.ndarray]:
    """Errors, or their differences, by measure; in both excesses nothing is subtracted yet."""
    corrupted = {k: v for k, v in errors.items() if k not in ('abs_rel', CLEAN)}
    total = np.sum([*corrupted.values()], 0)
    cost = total - len(corrupted) * errors[CLEAN]
    values = (errors['abs_rel'], total / len(corrupted), cost, total, total)
    return dict(zip(MEASURES, values, strict=True)) | (corrupted if by_corruption else {})


def _ratio(
    was: float, delta: float, was_drawn: np.ndarray, delta_drawn: np.ndarray, bootstrap: Bootstrap
) -> tuple[float, float, float]:
    """1 + delta / was with the ends of its interval; NaN where `was` may be 0. A resample that
    says so counts at both ends."""
    if not bootstrap.ends(was_drawn)[0] > 0:  # NaN, too
        return math.nan, math.nan, math.nan
    with np.errstate(divide='ignore', invalid='ignore'):
        ratios = 1 + delta_drawn / was_drawn
    low = bootstrap.ends(np.where(was_drawn > 0, ratios, -np.inf))[0]
    return 1 + delta / was, low, bootstrap.ends(np.where(was_drawn > 0, ratios, np.inf))[1]


def compare_variants(
    variants: Mapping[str, Seeds],
    baseline: str,
    by_corruption: bool = False,
    title: str = '',
    primary: str = '',
    bootstrap: Bootstrap | None = None,
) -> tuple[str, list[dict[str, Any]]]:
    """Every variant against the baseline: a table to print, and its findings as plain values.

    A variant whose pairs are not complete yet has a sentence below the table instead. `primary` is
    the measure that gets a star.
    """
    bootstrap, base = bootstrap or Bootstrap(), variants[baseline]
    found, odd = {}, []
    for name in variants:
        try:
            if name != baseline:
                found[name] = find_differences(variants[name], base, bootstrap, by_corruption)
        except ValueError as error:
            odd.append(f'{name} is not compared: {error}')
    head = f'against {baseline}, pair by pair: {_describe_draws(base, bootstrap)}'
    head = f'{title}: {head}' if title else head
    table = make_paired_table(found, baseline, cost_to_baseline(base, bootstrap), head, primary)
    plain = [
        dict(asdict(finding), variant=name, verdict=finding.verdict)
        for name, findings in found.items()
        for finding in findings
    ]
    legend = f'lower is better; x: variant / {baseline}, else variant - {baseline}'
    return '\n'.join([table, legend, *odd]), plain


def make_paired_table(
    findings: Mapping[str, list[Finding]],
    baseline: str,
    cost: tuple[float, float, float],
    title: str,
    primary: str = '',
) -> str:
    """A text table of findings by variant, below what corruption costs the baseline; `primary` is
    the measure that gets a star."""
    holds = '' if cost[1] > 0 else 'not above 0'
    mean, low, high = (_cell(value, '{:.4f}') for value in cost)
    rows = [['', baseline, 'variant', 'change', 'from', 'to', 'verdict']]
    rows.append([f'{COST} to {baseline}', mean, '', '', low, high, holds])
    for variant, found in findings.items():
        rows.append([variant, *[''] * 6])
        for one in found:
            form = '{:.4f} x' if one.is_ratio else '{:+.4f}'
            star = ' *' * (one.measure == primary)
            means = [_cell(value, '{:.4f}') for value in (one.baseline, one.variant)]
            moved = [_cell(value, form) for value in (one.change, one.low, one.high)]
            rows.append([f'  {one.measure}{star}', *means, *moved, one.verdict])
    return text_table(rows, title)


def _cell(value: float, form: str) -> str:
    return '-' if math.isnan(value) else form.format(value)


def _describe_draws(baseline: Seeds, bootstrap: Bootstrap) -> str:
    """What the intervals rest on."""
    seeds, images = len(baseline), len(baseline[min(baseline)].images)
    drawn = f'{bootstrap.label} intervals of {bootstrap.num_resamples} resamples of'
    if seeds == 1:
        return f'1 seed x {images} images, {drawn} images only: seeds were not resampled'
    return f'{seeds} seeds x {images} images, {drawn} seeds and images together'

"""Variants over seeds: what a change of the method is worth, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from terminaltables import AsciiTable

from mmscd.utils.files import atomic_write, write_csv, write_json

from .paired import compare_variants
from .plan import Plan
from .scores import CLEAN, ImageErrors, Rows

# variant -> seed -> rows with `clean` and the same corruptions everywhere
Runs = Mapping[str, Mapping[int, Rows]]
# the same, with errors image by image
JudgedRuns = Mapping[str, Mapping[int, tuple[Rows, ImageErrors]]]


class Spread(NamedTuple):
    """Mean and sample standard deviation over seeds; NaN with one seed."""

    mean: float
    std: float

    def __str__(self) -> str:
        spread = '' if math.isnan(self.std) else f' +- {self.std:.4f}'
        return f'{self.mean:.4f}{spread}'


def spread(values: list[float]) -> Spread:
    """Mean and sample standard deviation of at least one value; NaN where one is NaN."""
    if any(math.isnan(value) for value in values):  # which `stdev` fails on
        return Spread(math.nan, math.nan)
    return Spread(mean(values), stdev(values) if len(values) > 1 else math.nan)


@dataclass
class VariantSummary:
    """One line of the table.

    The excess is the sum over corruptions of (DEE - clean DEE of the baseline): what is wrong
    beyond the baseline's clean error. What it is beside the baseline's excess, and how sure that
    is: `mmscd.robustness.paired`.
    """

    seeds: int  # number of runs
    abs_rel: Spread  # on clean images
    abs_rel_ratio: float  # of the mean of `abs_rel` to the baseline's
    clean_dee: Spread
    corrupted_dee: Spread  # mean over corruptions
    excess: Spread
    mce: Spread  # mean over corruptions of DEE / DEE of the baseline, per cent
    dee: dict[str, float]  # mean over seeds, by corruption and `clean`


def summarise_ablation(runs: Runs, baseline: str) -> dict[str, VariantSummary]:
    """By variant, in their order; the baseline's numbers are its means over all its seeds.

    KeyError where there is no run of the baseline, or a run lacks a corruption.
    """
    if not runs.get(baseline):
        raise KeyError(f'no run of the baseline {baseline!r}; there are {sorted(runs)}')
    names = [name for name in next(iter(runs[baseline].values())) if name != CLEAN]
    base = _mean_dee(runs[baseline], [CLEAN, *names])
    base_abs_rel = mean(rows[CLEAN]['abs_rel'] for rows in runs[baseline].values())
    out = {}
    for variant, seeds in runs.items():
        rows = list(seeds.values())
        abs_rel = spread([r[CLEAN]['abs_rel'] for r in rows])
        out[variant] = VariantSummary(
            seeds=len(rows),
            abs_rel=abs_rel,
            abs_rel_ratio=abs_rel.mean / base_abs_rel,
            clean_dee=spread([r[CLEAN]['dee'] for r in rows]),
            corrupted_dee=spread([mean(r[n]['dee'] for n in names) for r in rows]),
            excess=spread([sum(r[n]['dee'] - base[CLEAN] for n in names) for r in rows]),
            mce=spread([100 * mean(r[n]['dee'] / base[n] for n in names) for r in rows]),
            dee=_mean_dee(seeds, [CLEAN, *names]),
        )
    return out


def make_ablation_tables(summaries: Mapping[str, VariantSummary], baseline: str) -> str:
    """Two tables: the comparison, and DEE by corruption."""
    head = ['variant', 'seeds', 'abs_rel clean', 'x baseline', 'DEE clean', 'DEE corrupted']
    rows = [[*head, 'excess', 'mCE %']]
    for name, s in summaries.items():
        row = [name, s.seeds, s.abs_rel, f'{s.abs_rel_ratio:.3f}', s.clean_dee, s.corrupted_dee]
        mce = f'{s.mce.mean:.1f}' + (f' +- {s.mce.std:.1f}' if s.seeds > 1 else '')
        rows.append([*map(str, row), str(s.excess), mce])
    by_corruption = [['DEE', *summaries]]
    for name in summaries[baseline].dee:
        by_corruption.append([name, *(f'{s.dee[name]:.4f}' for s in summaries.values())])
    note = (
        f'excess: sum over corruptions of (DEE - clean DEE of {baseline}); +- is the standard '
        'deviation over seeds'
    )
    return '\n\n'.join([AsciiTable(rows).table, AsciiTable(by_corruption).table, note])


def write_ablation(
    folder: Path,
    sets: Mapping[str, JudgedRuns],
    baseline: str,
    by_corruption: bool = False,
    plan: Plan | None = None,
    about: Sequence[str] = (),
) -> str:
    """Write `ablation.json`, `ablation.csv` and `tables.txt`; returns the tables of every set,
    below `about`, the lines of `note_plan`."""
    tables, lines, content = ['\n'.join(about)] if about else [], [], {}
    primary = plan.primary if plan else ''
    for test_set, judged in sets.items():
        runs = {name: {s: rows for s, (rows, _) in own.items()} for name, own in judged.items()}
        errors = {name: {s: one for s, (_, one) in own.items()} for name, own in judged.items()}
        summaries = summarise_ablation(runs, baseline)
        title = f'{test_set} (seen before)' if plan and test_set in plan.seen else test_set
        paired, plain = compare_variants(errors, baseline, by_corruption, title, primary)
        tables += [f'== {title}\n{make_ablation_tables(summaries, baseline)}', paired]
        summary = {name: asdict(s) for name, s in summaries.items()}
        content[test_set] = dict(runs=runs, summary=summary, paired=plain)
        lines += [
            dict(row, set=test_set, variant=variant, seed=seed, corruption=name)
            for variant, seeds in runs.items()
            for seed, rows in seeds.items()
            for name, row in rows.items()
        ]
    write_json(folder / 'ablation.json', dict(about=about, sets=content))
    fields = ('set', 'variant', 'seed', 'corruption', 'abs_rel', 'delta1', 'dee')
    write_csv(folder / 'ablation.csv', fields, lines)
    text = '\n\n'.join(tables)
    atomic_write(folder / 'tables.txt', f'{text}\n'.encode())
    return text


def _mean_dee(seeds: Mapping[int, Rows], names: list[str]) -> dict[str, float]:
    return {name: mean(rows[name]['dee'] for rows in seeds.values()) for name in names}

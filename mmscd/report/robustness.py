"""The part of a report that compares models on corrupted images."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmscd.utils.schema import Number, read_json

_ROW = dict(abs_rel=Number(1e-9))
_SCORE = (float, None)
_MODEL = dict(
    summary=dict(clean_dee=float, mean_dee=float, mce=_SCORE, mrr=_SCORE),
    corruptions={'clean': _ROW, str: _ROW},
)
_SETTINGS = dict(n_images=int, severities=[int], protocol=str, metric=str, baseline=(str, None))
_FINDING = dict(variant=str, measure=str, change=_SCORE, low=_SCORE, high=_SCORE, verdict=str)
_SUMMARY = dict(models={str: _MODEL}, settings=_SETTINGS, paired=[_FINDING])


@dataclass(frozen=True)
class Comparison:
    """What `test_robustness.py` found.

    `models`: name -> clean_abs_rel, abs_rel, clean_dee, mean_dee, mce, mrr; `about`: what they
    depend on; `baseline`: '' where it is none of the models; `paired`: findings of
    `mmscd.robustness.paired`, as plain values; `chart`: SVG; `examples`: PNG.
    """

    models: Mapping[str, Mapping[str, float]]
    about: str
    baseline: str
    paired: Sequence[Mapping[str, Any]]
    chart: bytes
    examples: bytes


def read_comparison(folder: str | Path) -> Comparison:
    """Read the folder of `test_robustness.py --out`; FileNotFoundError where it is unfinished."""
    folder = Path(folder)
    files = {}
    for name in ('summary.json', 'dee.svg', 'examples.png'):
        path = folder / name
        if not path.is_file():
            remedy = f'run test_robustness.py --out {shlex.quote(str(folder))} to its end'
            raise FileNotFoundError(f'{path} is missing: {remedy}')
        files[name] = path.read_bytes()
    remedy = 'run test_robustness.py anew with another --out'
    content = read_json(folder / 'summary.json', remedy, _SUMMARY)
    models = {}
    for name, model in content['models'].items():
        rows = dict(model['corruptions'])
        clean = rows.pop('clean')
        models[name] = dict(
            model['summary'],
            clean_abs_rel=clean['abs_rel'],
            abs_rel=sum(row['abs_rel'] for row in rows.values()) / max(1, len(rows)),
        )
    if not models or not rows:
        raise ValueError(f'{folder / "summary.json"} holds no corruptions; {remedy}')
    settings = content['settings']
    about = (
        f'{settings["n_images"]} test images; {len(rows)} corruptions ({", ".join(rows)}) at '
        f'severities {", ".join(map(str, settings["severities"]))}; protocol '
        f'{settings["protocol"]}; {settings["metric"]}'
    )
    baseline = settings['baseline'] if settings['baseline'] in models else ''
    pictures = (files['dee.svg'], files['examples.png'])
    return Comparison(models, about, baseline, content['paired'], *pictures)


def verdict(comparison: Comparison) -> str:
    """One sentence about every model beside the baseline; '' without a baseline."""
    told: dict[str, list[str]] = {}
    for one in comparison.paired:
        if one['measure'] in ('clean abs_rel', 'corrupted DEE', 'excess share'):
            said = f'{one["measure"]} {one["verdict"]}'
            if one['verdict'] != 'undefined':
                ends = f'{one["low"]:.3f} to {one["high"]:.3f}'
                said = f'{one["measure"]} {one["change"]:.3f} times ({ends}: {one["verdict"]})'
            told.setdefault(one['variant'], []).append(said)
    return ' '.join(
        f'{name} beside {comparison.baseline}, with 95 % intervals over images: {", ".join(parts)}.'
        for name, parts in told.items()
    )

"""Tables and files of the corruption benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terminaltables import AsciiTable

from mmscd.evaluation.functional import METRIC_NAMES
from mmscd.utils.files import write_csv, write_json

from .scores import CLEAN

Rows = Mapping[str, Mapping[str, float]]


def _number(value: float, digits: int) -> str:
    return '-' if value is None or math.isnan(value) else f'{value:.{digits}f}'


def _to_text(data: list[list[str]]) -> str:
    table = AsciiTable(data)
    for column in range(1, len(data[0])):
        table.justify_columns[column] = 'right'
    return table.table


def make_corruption_table(rows: Rows, summary: Mapping[str, float], title: str) -> str:
    """The table of one model: a line per corruption, the means below.

    Args:
        rows: 'clean' and corruptions -> abs_rel, delta1, dee; corruptions also ce and rr.
        summary: of `robustness.score_robustness`.
        title: written above.
    """
    data = [['corruption', 'abs_rel ↓', 'delta1 ↑', 'DEE ↓', 'CE % ↓', 'RR % ↑']]
    for name, row in rows.items():
        numbers = [_number(row[key], 4) for key in ('abs_rel', 'delta1', 'dee')]
        numbers += [_number(row.get(key, math.nan), 2) for key in ('ce', 'rr')]
        data.append([name, *numbers])
    corrupted = [row for name, row in rows.items() if name != CLEAN]
    means = [
        _number(sum(row[key] for row in corrupted) / len(corrupted), 4)
        for key in ('abs_rel', 'delta1')
    ]
    data.append(
        [
            'mean',
            *means,
            _number(summary['mean_dee'], 4),
            f'mCE {_number(summary["mce"], 2)}',
            f'mRR {_number(summary["mrr"], 2)}',
        ]
    )
    return f'{title}\n{_to_text(data)}'


def make_comparison_table(models: Mapping[str, tuple[Rows, Mapping[str, float]]]) -> str:
    """DEE of several models side by side, mCE and mRR below.

    Args:
        models: name -> (rows, summary).
    """
    names = list(next(iter(models.values()))[0])
    data = [['DEE ↓', *models]]
    for name in names:
        data.append([name, *(_number(rows[name]['dee'], 4) for rows, _ in models.values())])
    for label, key in (('mCE % ↓', 'mce'), ('mRR % ↑', 'mrr')):
        data.append([label, *(_number(summary[key], 2) for _, summary in models.values())])
    return _to_text(data)


def write_robustness(
    folder: str | Path,
    settings: Mapping[str, Any],
    models: Mapping[str, tuple[Rows, Mapping[str, float]]],
    passes: Mapping[str, Mapping[tuple[str, int], Mapping[str, float]]],
) -> None:
    """Write `summary.json`, `corruptions.csv` (means) and `severities.csv` (every pass).

    Args:
        folder: is made where it does not exist.
        settings: what the numbers depend on.
        models: name -> (rows, summary).
        passes: name -> (corruption, severity) -> metrics.
    """
    folder = Path(folder)
    means, levels, content = [], [], {}
    for name, (rows, summary) in models.items():
        means += [dict(row, model=name, corruption=key) for key, row in rows.items()]
        own = [
            dict(metrics, model=name, corruption=key, severity=level)
            for (key, level), metrics in passes[name].items()
        ]
        levels += own
        content[name] = dict(summary=summary, corruptions=rows, passes=own)
    write_json(folder / 'summary.json', dict(settings=settings, models=content))
    fields = ('model', 'corruption', 'abs_rel', 'delta1', 'dee', 'ce', 'rr')
    write_csv(folder / 'corruptions.csv', fields, means)
    fields = ('model', 'corruption', 'severity', *METRIC_NAMES, 'dee', 'psnr', 'n_images')
    write_csv(folder / 'severities.csv', fields, levels)


def describe_speed(passes: Mapping[tuple[str, int], Mapping[str, float]], num_images: int) -> str:
    """Corrupted images per second and core, the slowest corruption by name.

    Args:
        passes: (corruption, severity) -> `seconds` of CPU time for all images.
        num_images: of a pass.
    """
    seconds: dict[str, list[float]] = {}
    for (name, _), metrics in passes.items():
        if name != CLEAN:
            seconds.setdefault(name, []).append(metrics['seconds'] / num_images)
    means = {name: sum(values) / len(values) for name, values in seconds.items()}
    slowest = max(means, key=means.get)
    overall = sum(means.values()) / len(means)
    if overall == 0:
        return ''
    return (
        f'corruption: {1 / overall:.1f} images/s per core on average, slowest is {slowest} with '
        f'{1 / max(means[slowest], 1e-9):.1f}'
    )

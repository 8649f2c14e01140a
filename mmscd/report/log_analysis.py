"""Curves and a summary of trainings, from their logs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from terminaltables import AsciiTable

from mmscd.visualization.chart_style import save_figure
from mmscd.visualization.charts import curve_panels

from .training_log import Rows, read_log

# names with a better end; of all others (diagnostics) no best value is told
FALLING = ('loss', 'abs_rel', 'sq_rel', 'rmse', 'silog', 'log10', 'ate', 'hole_rate', 'mce', 'dee')
RISING = ('delta', 'f1', 'acc', 'miou', 'mrr')
# no result of a training
NOT_METRICS = {'step', 'iter', 'epoch', 'lr', 'time', 'data_time', 'memory', 'n_images', 'n_empty'}


def curve(rows: Rows, key: str) -> tuple[list[float], list[float]]:
    """Steps and values of a key; NaN stays, so that a gap shows."""
    points = [(r['step'], r[key]) for r in rows if isinstance(r.get(key), (int, float))]
    return [x for x, _ in points], [y for _, y in points]


def running_mean(values: Sequence[float], count: int) -> list[float]:
    """Mean of every value and the `count` - 1 before it (fewer at the beginning)."""
    parts = (values[max(0, i + 1 - count) : i + 1] for i in range(len(values)))
    return [sum(part) / len(part) for part in parts]


def known_keys(rows: Rows) -> list[str]:
    """All keys with numbers, in order of appearance."""
    keys = {k: None for r in rows for k, v in r.items() if isinstance(v, (int, float))}
    return [key for key in keys if key not in ('step', 'iter')]


def plot_curves(
    logs: Sequence[str | os.PathLike],
    keys: Sequence[str],
    out: str | os.PathLike,
    names: Sequence[str] | None = None,
    title: str | None = None,
    smooth: int = 1,
    log_scale: bool = False,
) -> None:
    """Draw a panel per key with a line per log (see `read_log`) to `out`, .png, .svg or .pdf.

    `names`: one per log, None: those of the folders. `smooth`: mean over so many points. Raises
    ValueError where a log lacks a key, or names and logs differ in number.
    """
    paths = [Path(log) for log in logs]
    names = names or [path.stem if path.is_file() else path.name for path in paths]
    if len(names) != len(paths):
        raise ValueError(f'--legend needs a name for each of {len(paths)} logs, got {len(names)}')
    panels: dict[str, dict] = {key: {} for key in keys}
    for path, name in zip(paths, names, strict=True):
        rows = read_log(path)
        for key in keys:
            steps, values = curve(rows, key)
            if not steps:
                raise ValueError(f'{path} has no {key!r}; it has {", ".join(known_keys(rows))}')
            panels[key][name] = (steps, running_mean(values, max(1, smooth)))
    save_figure(curve_panels(panels, title, log_scale), out)


def best_point(
    steps: Sequence[float], values: Sequence[float], key: str
) -> tuple[float, float] | None:
    """(step, value) of the best finite value, None where none is better than another."""
    name = key.rsplit('/', 1)[-1].lower()
    finite = [(s, v) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
    if not finite or not name.startswith(FALLING + RISING):
        return None
    return (max if name.startswith(RISING) else min)(finite, key=lambda point: point[1])


def summarize_log(path: str | os.PathLike) -> str:
    """First, last and best value of every key, what was not a number, and the time it took."""
    rows = read_log(path)
    table = [['', 'entries', 'first', 'last', 'best', 'at iteration', 'not finite']]
    for key in known_keys(rows):
        if key not in NOT_METRICS:
            steps, values = curve(rows, key)
            best = best_point(steps, values, key)
            ends = [f'{values[0]:.4g}', f'{values[-1]:.4g}']
            ends += [f'{best[1]:.4g}', f'{best[0]:g}'] if best else ['', '']
            broken = sum(not math.isfinite(value) for value in values)
            table.append([key, str(len(values)), *ends, str(broken or '')])
    head = f'{path}: iterations {rows[0]["step"]:g} to {rows[-1]["step"]:g}'
    return '\n'.join([head, AsciiTable(table).table, *_describe_times(rows)])


def _describe_times(rows: Rows) -> list[str]:
    """A sentence about seconds per iteration, none where they were not logged."""
    rows = [row for row in rows if 'loss' in row and isinstance(row.get('time'), float)]
    # the first entry pays for start-up: workers, compilation, autotuning
    rows = rows[1:] or rows
    if not rows:
        return []
    total = sum(row['time'] for row in rows)
    slow = max(rows, key=lambda row: row['time'])
    load = sum(row.get('data_time', 0.0) for row in rows)
    return [
        f'{total / len(rows):.4f} s per iteration, at most {slow["time"]:.4f} s (up to iteration '
        f'{slow["step"]:g}), {load / total:.1%} of it waiting for data; without the first entry'
    ]

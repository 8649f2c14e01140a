"""From results per image to means, tables and files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from terminaltables import AsciiTable

from mmscd.utils.files import write_csv, write_json

from .functional import HIGHER_IS_BETTER, METRIC_NAMES

PER_IMAGE_FIELDS = (*METRIC_NAMES, 'scale_ratio', 'n_pixels', 'n_unusable')


def summarize(results: Sequence[Mapping[str, float] | None]) -> dict[str, float]:
    """Mean over images, and the spread of the scale ratio.

    Args:
        results: one dict per image as `protocols.evaluate_pixels` gives it, None for an image
            without valid ground truth.

    Returns:
        the means of `METRIC_NAMES`; `scale_ratio_median` and `scale_ratio_std` (standard deviation
        of ratio / median, as the published code prints it; both absent where no image has a
        usable prediction); `n_images` (those that count) and `n_empty`.

    Raises:
        ValueError: no image has valid ground truth.
    """
    counted = [result for result in results if result is not None]
    if not counted:
        raise ValueError(
            f'none of {len(results)} images has valid ground truth: does the data set load '
            '`gt_depth`, is it in metres, and do the depth range and the crop of the protocol fit?'
        )
    summary = {key: float(np.mean([r[key] for r in counted])) for key in METRIC_NAMES}
    ratios = np.array([r['scale_ratio'] for r in counted])
    ratios = ratios[np.isfinite(ratios)]
    if ratios.size:
        median = float(np.median(ratios))
        summary['scale_ratio_median'] = median
        summary['scale_ratio_std'] = float(np.std(ratios / median))
    summary['n_images'] = len(counted)
    summary['n_empty'] = len(results) - len(counted)
    return summary


def make_table(
    rows: Mapping[str, Mapping[str, float]], title: str | None = None, interval: str = ''
) -> str:
    """A text table, one row per predictor, whose head says which direction is better.

    Args:
        rows: name of the predictor -> its summary. One with `<metric>_low` and `<metric>_high`
            gets two more rows, the ends of its confidence interval.
        title: written above the table (a long one would not fit into the frame).
        interval: what the intervals are, e.g. `95 %`.
    """
    head = [name + (' ↑' if name in HIGHER_IS_BETTER else ' ↓') for name in METRIC_NAMES]
    data = [['', *head]]
    for name, row in rows.items():
        data.append([name, *(f'{row[key]:.4f}' for key in METRIC_NAMES)])
        for end, word in (('low', 'from'), ('high', 'to')):
            if f'{METRIC_NAMES[0]}_{end}' in row:
                ends = (f'{row[f"{key}_{end}"]:.4f}' for key in METRIC_NAMES)
                data.append([f'  {interval} {word}', *ends])
    table = AsciiTable(data)
    for column in range(1, len(head) + 1):
        table.justify_columns[column] = 'right'
    return f'{title}\n{table.table}' if title else table.table


def describe_counts(summary: Mapping[str, float]) -> str:
    """The lines below the table: scale ratio and images left out."""
    lines = []
    if 'scale_ratio_median' in summary:
        lines.append(
            f'scale ratio median(gt) / median(pred): median {summary["scale_ratio_median"]:.4g}, '
            f'spread {summary["scale_ratio_std"]:.4f} (std of ratio / median)'
        )
    if summary['n_empty']:
        total = summary['n_images'] + summary['n_empty']
        lines.append(f'{summary["n_empty"]} of {total} images without valid ground truth: left out')
    return '\n'.join(lines)


def describe_unusable(records: Sequence[Mapping[str, Any]], num_names: int = 5) -> str | None:
    """A sentence about predictions that are not finite and positive; None where all are.

    Args:
        records: dicts with `img_path` and `metrics` (or None), one per image.
        num_names: so many images are named.
    """
    bad = [(r['img_path'], r['metrics']) for r in records if r['metrics']]
    bad = [(path, metrics['n_unusable']) for path, metrics in bad if metrics['n_unusable']]
    if not bad:
        return None
    named = ', '.join(f'{path} ({count} pixels)' for path, count in bad[:num_names])
    more = f' and {len(bad) - num_names} more' if len(bad) > num_names else ''
    return (
        f'{sum(count for _, count in bad)} predicted depths in {len(bad)} images are not finite '
        'and positive. They are left out of the alignment and count as min_depth (+infinity: as '
        f'max_depth): {named}{more}'
    )


def write_per_image(
    path: str | os.PathLike,
    records: Sequence[Mapping[str, Any]],
    summary: Mapping[str, float],
    protocol: str,
) -> None:
    """Write the metrics of every image, under a temporary name first.

    Args:
        path: ends in .json (with summary and protocol) or .csv (images only).
        records: dicts with `img_path`, `sample_idx`, `metrics` (None: no valid ground truth) and
            optionally `conditions` (written where any record has one).
        summary: of `summarize`.
        protocol: its description.

    Raises:
        ValueError: another suffix.
    """
    check_per_image_path(path)
    named = any(record.get('conditions') for record in records)
    rows = []
    for record in records:
        metrics = record['metrics'] or {}
        row = {'img_path': record['img_path'], 'sample_idx': record['sample_idx']}
        if named:
            row['conditions'] = ' '.join(record['conditions'])
        for key in PER_IMAGE_FIELDS:
            row[key] = metrics.get(key, 0 if key.startswith('n_') else None)
        rows.append(row)
    if str(path).endswith('.json'):
        write_json(path, dict(protocol=protocol, summary=summary, images=rows))
    else:
        write_csv(path, list(rows[0]), rows)


def write_table(
    path: str | os.PathLike,
    rows: Mapping[str, Mapping[str, float]],
    keys: Mapping[str, str],
    protocol: str,
) -> None:
    """Write the rows of the table as data, under a temporary name first.

    The file holds `protocol` and `rows`, a list of dicts in the table's order: `name`, `key`
    ('model', 'condition', or the kind of reference, e.g. 'flat_road') and the entries of
    `summarize`.

    Args:
        path: ends in .json.
        rows: name of the predictor -> its summary.
        keys: name of the predictor -> its kind.
        protocol: its description.

    Raises:
        ValueError: another suffix.
    """
    check_table_path(path)
    listed = [dict(name=name, key=keys[name], **row) for name, row in rows.items()]
    write_json(path, dict(protocol=protocol, rows=listed))


def check_table_path(path: str | os.PathLike) -> None:
    """Raise ValueError where `path` does not end in .json."""
    if not str(path).endswith('.json'):
        raise ValueError(f'the table goes to a .json file, got {str(path)!r}')


def check_per_image_path(path: str | os.PathLike) -> None:
    """Raise ValueError where `path` ends neither in .json nor in .csv."""
    if not str(path).endswith(('.json', '.csv')):
        raise ValueError(f'per-image results go to a .json or .csv file, got {str(path)!r}')

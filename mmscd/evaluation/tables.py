"""From results per image to means, tables and files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmscd.utils.files import write_csv, write_json
from mmscd.utils.schema import Number
from mmscd.utils.text_table import text_table

from .functional import HIGHER_IS_BETTER, METRIC_NAMES
from .label_files import OBJECTS

# of stored results, see `mmscd.utils.schema`; JSON has null for NaN
METRIC_KINDS = {k: (Number(0, 1) if k[:5] == 'delta' else Number(0), None) for k in METRIC_NAMES}
PER_IMAGE_FIELDS = (*METRIC_NAMES, 'scale_ratio', 'n_pixels', 'n_unusable')


def summarize(
    results: Sequence[Mapping[str, float] | None], names: Sequence[str | None] = ()
) -> dict[str, float]:
    """Mean over images, and the spread of the scale ratio.

    Args:
        results: one dict per image as `protocols.evaluate_pixels` gives it, None for an image
            without valid ground truth.
        names: of the images, for the error.

    Returns:
        the means of `METRIC_NAMES`, and of `objects_abs_rel` over the images that have it;
        `scale_ratio_median` and `scale_ratio_std` (standard deviation of ratio / median, as the
        published code prints it; both absent where no image has a usable prediction); `n_images`
        (those that count), `n_empty`, and `n_not_finite`: those that count whose prediction is not
        finite, so that the means are NaN.

    Raises:
        ValueError: no image has valid ground truth.
    """
    counted = [result for result in results if result is not None]
    if not counted:
        first = f' ({names[0]}, ...)' if names and names[0] else ''
        raise ValueError(
            f'none of {len(results)} images{first} has valid ground truth: does the data set load '
            '`gt_depth`, is it in metres, and do the depth range and the crop of the protocol fit?'
        )
    summary = {key: float(np.mean([r[key] for r in counted])) for key in METRIC_NAMES}
    objects = [r[OBJECTS] for r in counted if math.isfinite(r.get(OBJECTS, math.nan))]
    if objects:
        summary[OBJECTS] = float(np.mean(objects))
    ratios = np.array([r['scale_ratio'] for r in counted])
    ratios = ratios[np.isfinite(ratios)]
    if ratios.size:
        median = float(np.median(ratios))
        summary['scale_ratio_median'] = median
        summary['scale_ratio_std'] = float(np.std(ratios / median))
    summary['n_images'] = len(counted)
    summary['n_empty'] = len(results) - len(counted)
    summary['n_not_finite'] = int(sum(math.isnan(r[METRIC_NAMES[0]]) for r in counted))
    return summary


def make_table(rows: Mapping[str, Mapping[str, Any]], title: str = '', interval: str = '') -> str:
    """A text table, one row per predictor, whose head says which direction is better.

    Args:
        rows: name of the predictor -> its summary. One with `<metric>_low` and `<metric>_high`
            gets two more rows, the ends of its confidence interval.
        title: written above the table.
        interval: what the intervals are, e.g. `95 %`.
    """
    lines = [['', *(f'{name} {"↑" if name in HIGHER_IS_BETTER else "↓"}' for name in METRIC_NAMES)]]
    for name, row in rows.items():
        ends = {'': name, '_low': f'  {interval} from', '_high': f'  {interval} to'}
        for end, label in ends.items():
            if METRIC_NAMES[0] + end in row:
                lines.append([label, *(f'{row[key + end]:.4f}' for key in METRIC_NAMES)])
    return text_table(lines, title)


def describe_counts(summary: Mapping[str, float]) -> str:
    """The lines below the table: scale ratio and images left out."""
    lines = []
    if 'scale_ratio_median' in summary:
        lines.append(
            f'scale ratio median(gt) / median(pred): median {summary["scale_ratio_median"]:.4g}, '
            f'spread {summary["scale_ratio_std"]:.4f} (std of ratio / median)'
        )
    if OBJECTS in summary:
        lines.append(f'poles, signs, people and vehicles alone: abs_rel {summary[OBJECTS]:.4f}')
    if summary['n_empty']:
        total = summary['n_images'] + summary['n_empty']
        lines.append(f'{summary["n_empty"]} of {total} images without valid ground truth: left out')
    if summary['n_not_finite']:
        count = f'{summary["n_not_finite"]} of {summary["n_images"]}'
        lines.append(f'{count} predictions are not finite: there is no mean')
    return '\n'.join(lines)


def describe_unusable(records: Sequence[Mapping[str, Any]], num_names: int = 5) -> str | None:
    """What is wrong with predictions that are not finite and positive, with the names of the first
    images; None where all are. Records have `img_path`, `sample_idx` and `metrics` (or None)."""
    bad: tuple[list[str], list[str]] = [], []
    for record in records:
        if record['metrics'] and (count := record['metrics']['n_unusable']):
            name = f'{record["img_path"] or record["sample_idx"]} ({count} pixels)'
            bad[math.isnan(record['metrics'][METRIC_NAMES[0]])].append(name)
    told = (
        'the predicted depth is in some pixels not finite and positive; they are left out of the '
        'alignment and count as min_depth (+infinity: as max_depth)',
        'the predicted depth is not finite, so that there is no mean (is the network broken?)',
    )
    sentences = []
    for names, what in zip(bad, told, strict=True):
        more = f' and {len(names) - num_names} more' if len(names) > num_names else ''
        if names:
            sentences.append(f'{len(names)} images: {what}: {", ".join(names[:num_names])}{more}')
    return '; '.join(sentences) or None


def write_per_image(
    path: str | os.PathLike,
    records: Sequence[Mapping[str, Any]],
    summary: Mapping[str, float],
    protocol: str,
) -> None:
    """Write the metrics of every image: .json (with summary and protocol) or .csv (images only).

    Records have `img_path`, `sample_idx`, `metrics` (None: no valid ground truth) and optionally
    `conditions`, written where any record has one.
    """
    nothing = {key: 0 if key.startswith('n_') else None for key in PER_IMAGE_FIELDS}
    named = any(record.get('conditions') for record in records)
    rows = []
    for record in records:
        row = {key: record[key] for key in ('img_path', 'sample_idx')}
        if named:
            row['conditions'] = ' '.join(record['conditions'])
        rows.append(row | {key: (record['metrics'] or nothing)[key] for key in PER_IMAGE_FIELDS})
    if Path(path).suffix == '.csv':
        write_csv(path, list(rows[0]), rows)
    else:
        write_json(path, dict(protocol=protocol, summary=summary, images=rows))


def write_table(
    path: str | os.PathLike, rows: Mapping[str, Mapping[str, Any]], protocol: str
) -> None:
    """Write the rows of the table as JSON: `protocol`, and `rows`, a list with `summarize`'s
    entries and `key` ('model', 'condition', or the kind of reference, e.g. 'flat_road')."""
    listed = [dict(name=name, **row) for name, row in rows.items()]
    write_json(path, dict(protocol=protocol, rows=listed))

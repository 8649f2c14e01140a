"""Predictors image by image: differences on the same images, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmscd.utils.schema import Number, read_json
from mmscd.utils.text_table import text_table

from .bootstrap import Bootstrap, metric_matrix
from .functional import HIGHER_IS_BETTER, METRIC_NAMES
from .tables import METRIC_KINDS

_MEND = (
    'no results per image: give what DepthMetric(per_image_path=...json) or offline_eval.py --out '
    'FILE.json wrote'
)
_IMAGE = METRIC_KINDS | dict(img_path=str, n_pixels=Number(0))
_RESULTS = dict(protocol=str, images=[_IMAGE])
Results = dict[str, dict[str, float]]


def paired_differences(
    results: Sequence[Mapping[str, float]],
    baseline: Sequence[Mapping[str, float]],
    bootstrap: Bootstrap,
) -> dict[str, float]:
    """`<metric>`, `<metric>_low`, `<metric>_high` of the mean of results - baseline, in order.

    Both predictors find the same images hard, so the interval of the difference is much narrower
    than those of the two means: overlapping intervals of the means do not show a tie.
    """
    if len(results) != len(baseline):
        count = f'{len(results)} images, the baseline has {len(baseline)}'
        raise ValueError(f'{count}: a paired comparison needs the same images')
    differences = metric_matrix(results) - metric_matrix(baseline)
    ends = zip(METRIC_NAMES, differences.mean(0), *bootstrap.interval(differences), strict=True)
    compared: dict[str, float] = {}
    for name, mean, low, high in ends:
        compared |= {name: float(mean), f'{name}_low': float(low), f'{name}_high': float(high)}
    return compared


def read_results(path: Path) -> tuple[str, Results]:
    """Protocol and metrics by image, as `tables.write_per_image` wrote them."""
    content = read_json(path, _MEND, _RESULTS)
    rows = [row for row in content['images'] if row['n_pixels']]
    images = {row['img_path']: row for row in rows}
    if len(images) < len(rows):
        raise ValueError(f'{path} has two images of one path; {_MEND}')
    broken = [path for path, row in images.items() if None in [row[k] for k in METRIC_NAMES]]
    if broken:
        count = f'{len(broken)} of {len(images)} predictions are not finite (first: {broken[0]})'
        raise ValueError(f'{path}: {count}: there is nothing to compare, predict them again')
    return content['protocol'], images


def compare_files(
    paths: Sequence[Path], names: Sequence[str], bootstrap: Bootstrap
) -> tuple[str, dict[str, dict[str, float]]]:
    """A title, and '<name> - <baseline>' -> `paired_differences` of `read_results`, the baseline
    first. An error where protocols or images differ."""
    if len(paths) < 2:
        raise ValueError('give at least two files: the baseline and what is compared with it')
    if len(paths) != len(names):
        raise ValueError(f'{len(paths)} files, but {len(names)} names')
    (protocol, baseline), *others = [read_results(path) for path in paths]
    differences = {}
    for path, name, (other_protocol, images) in zip(paths[1:], names[1:], others, strict=True):
        if other_protocol != protocol:
            raise ValueError(
                f'{path} was evaluated by another protocol ({other_protocol}) than {paths[0]} '
                f'({protocol}): such numbers must not be compared'
            )
        if odd := sorted(set(images) ^ set(baseline)):
            count = f'{len(odd)} are in one only (first: {odd[0]})'
            raise ValueError(f'{path} and {paths[0]} have different images: {count}')
        results = [images[image] for image in baseline]
        differences[f'{name} - {names[0]}'] = paired_differences(
            results, list(baseline.values()), bootstrap
        )
    return f'{protocol}, {len(baseline)} images', differences


def make_difference_table(rows: Mapping[str, Mapping[str, float]], label: str) -> str:
    """A text table of `paired_differences` by row; a star marks intervals without 0."""
    data = [['', *(f'{name} {"↑" if name in HIGHER_IS_BETTER else "↓"}' for name in METRIC_NAMES)]]
    for name, row in rows.items():
        sure = {key: row[f'{key}_low'] * row[f'{key}_high'] > 0 for key in METRIC_NAMES}
        data.append([name, *(f'{row[key]:+.4f}{"*" if sure[key] else " "}' for key in sure)])
        for end, word in (('low', 'from'), ('high', 'to')):
            ends = (f'{row[f"{key}_{end}"]:+.4f} ' for key in METRIC_NAMES)
            data.append([f'  {label} {word}', *ends])
    return text_table(data)

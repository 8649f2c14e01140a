"""A report of a training as one HTML page that needs no other file, no network and no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from scipy.ndimage import gaussian_filter1d

from mmscd.evaluation.functional import HIGHER_IS_BETTER, METRIC_NAMES
from mmscd.visualization.charts import line_chart

from . import robustness
from .robustness import Comparison
from .training_log import TrainingLog

_TYPES = {b'\xff\xd8': 'jpeg', b'\x89P': 'png', b'<s': 'svg+xml'}


@dataclass(frozen=True)
class Shot:
    """A picture, JPEG or PNG, with a badge ('', 'best' or 'worst'), caption, and small detail."""

    picture: bytes
    caption: str
    detail: str = ''
    badge: str = ''


@dataclass
class Report:
    """What the page shows; everything is plain text and is escaped.

    `rows` are of the metrics table, as `DepthMetric(table_path=...)` writes them, with `protocol`
    below it; `facts` are name and value of what the numbers depend on; `commands` what it does, and
    the command line; `notes` what a reader should know before believing the numbers.
    """

    title: str
    rows: Sequence[Mapping[str, float | str | None]]
    protocol: str
    log: TrainingLog | None = None
    shots: Sequence[Shot] = ()
    facts: Sequence[tuple[str, str]] = ()
    commands: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    robustness: Comparison | None = None


@dataclass(frozen=True)
class _Column:
    title: str
    key: str
    higher: bool = False  # is better
    digits: int = 3


_METRICS = [_Column(key, key, key in HIGHER_IS_BETTER) for key in METRIC_NAMES]
_ROBUSTNESS = [
    _Column('clean abs_rel', 'clean_abs_rel'),
    _Column('corrupted abs_rel', 'abs_rel'),
    _Column('clean DEE', 'clean_dee'),
    _Column('corrupted DEE', 'mean_dee'),
    _Column('mCE %', 'mce', digits=1),
    _Column('mRR %', 'mrr', higher=True, digits=1),
]


def model_row(rows: Sequence[Mapping]) -> Mapping:
    """The model's row; ValueError where there is none."""
    for row in rows:
        if row.get('key') == 'model':
            return row
    raise ValueError(f'no row of the table has the key "model": {[r.get("name") for r in rows]}')


def best_references(rows: Sequence[Mapping]) -> dict[str, float]:
    """Lowest abs_rel of each kind of naive predictor, best first: {'constant depth': 0.48, ...}.

    A kind with several members goes by 'best <kind>', e.g. 'best flat road'.
    """
    kinds: dict[str, list[Mapping]] = {}
    for row in rows:
        if row['key'] != 'model':
            kinds.setdefault(row['key'], []).append(row)
    best = {}
    for key, group in kinds.items():
        name = _kind_name(f'best_{key}') if len(group) > 1 else group[0]['name']
        best[name] = min(row['abs_rel'] for row in group)
    return dict(sorted(best.items(), key=lambda item: item[1]))


def _kind_name(key: str) -> str:
    """'best_flat_road' -> 'best flat road'; 'constant' -> 'constant depth'."""
    return 'constant depth' if key == 'constant' else key.replace('_', ' ')


def summary_sentence(rows: Sequence[Mapping]) -> str:
    """E.g. 'abs_rel 0.181 on 28 held-out frames; mean depth map 0.31, best flat road 0.33.'"""
    model = model_row(rows)
    text = f'abs_rel {model["abs_rel"]:.3f} on {model["n_images"]} held-out frames'
    naive = ', '.join(f'{name} {value:.2f}' for name, value in best_references(rows).items())
    return f'{text}; {naive}.' if naive else f'{text}.'


def verdict(rows: Sequence[Mapping]) -> str:
    """How the model stands to the best predictor that never looks at the image; '' without one."""
    naive = best_references(rows)
    if not naive:
        return ''
    name, floor = next(iter(naive.items()))
    share = 1 - model_row(rows)['abs_rel'] / floor
    blind = f'predictor that never looks at the image ({name})'
    if share > 0:
        return f'That is {100 * share:.0f} % less error than the best {blind}.'
    return f'That is no better than a {blind}.'


def describe_duration(seconds: float) -> str:
    """'48 s', '12 min', '3 h 5 min'."""
    if seconds < 60:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 60 else f'{minutes // 60} h {minutes % 60} min'


def build_page(report: Report) -> str:
    """The whole page, HTML.

    Raises ValueError where the table has no row of the model, or a picture is of another kind.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters['data_uri'] = data_uri
    values = dict(
        summary=summary_sentence(report.rows),
        verdict=verdict(report.rows),
        tiles=_list_tiles(report),
        charts=_draw_charts(report.log) if report.log else [],
        metrics=_make_table([(str(row['name']), row) for row in report.rows], _METRICS),
    )
    if compared := report.robustness:
        values['robustness'] = _make_table(list(compared.models.items()), _ROBUSTNESS)
        values['robustness_verdict'] = robustness.verdict(compared)
    return environment.get_template('template.html').render(report=report, **values)


def data_uri(picture: bytes) -> str:
    """A picture as an address that holds it; ValueError unless it is JPEG, PNG or SVG."""
    kind = _TYPES.get(picture[:2])
    if kind is None:
        raise ValueError(f'a picture is neither JPEG nor PNG: it starts with {picture[:8]!r}')
    return f'data:image/{kind};base64,{base64.b64encode(picture).decode()}'


def _list_tiles(report: Report) -> list[tuple[str, str]]:
    """The numbers at the top, and what they are."""
    model, log = model_row(report.rows), report.log
    tiles = [
        (f'{model["abs_rel"]:.3f}', 'abs_rel, lower is better'),
        (f'{100 * model["delta1"]:.1f} %', 'of pixels within 25 % (delta1)'),
        (f'{model["rmse"]:.2f} m', 'rmse'),
    ]
    if log and log.seconds is not None:
        label = f'training, {log.last_iteration} iterations'
        label += f' on {log.device}' if log.device else ''
        tiles.append((describe_duration(log.seconds), label))
    return tiles


def _draw_charts(log: TrainingLog) -> list[tuple[str, str, Markup]]:
    """Title, remark and drawing of each chart."""
    charts, end = [], log.last_iteration
    if log.loss:
        steps, values = zip(*log.loss, strict=True)
        smoothed = list(zip(steps, smooth(values), strict=True))
        svg = line_chart(log.loss, 'loss', smoothed, x_max=end)
        charts.append(('Training loss', 'thin: as logged, bold: smoothed', Markup(svg)))
    if log.validation:
        references = {_kind_name(key): value for key, value in log.references.items()}
        about = 'dashed: predictors that never look at the image' if references else ''
        svg = line_chart(log.validation, 'abs_rel', references=references, x_max=end)
        charts.append(('Error on the validation images', about, Markup(svg)))
    return charts


def smooth(values: Sequence[float], radius: float | None = None) -> list[float]:
    """Gaussian mean over neighbours, which lags behind nothing; the weights shrink at the ends.

    `radius`: standard deviation in points; None: a thirtieth of them, at least 1.
    """
    radius = max(1.0, len(values) / 30) if radius is None else radius
    total, mass = (
        gaussian_filter1d(part, radius, mode='constant', truncate=3)
        for part in (np.asarray(values, np.float64), np.ones(len(values)))
    )
    return (total / mass).tolist()


def _make_table(rows: Sequence[tuple[str, Mapping]], columns: Sequence[_Column]) -> dict:
    """What the template's `table` shows: texts, each with whether it is the best of its column."""
    cells: list[list[tuple[str, bool]]] = [[] for _ in rows]
    for column in columns:
        values = [row[column.key] for _, row in rows]
        shown = [None if value is None else round(value, column.digits) for value in values]
        best = (max if column.higher else min)((v for v in shown if v is not None), default=None)
        for line, value in zip(cells, shown, strict=True):
            text = '' if value is None else f'{value:.{column.digits}f}'
            line.append((text, value is not None and value == best))
    lines = [
        dict(name=name, is_model=row.get('key') == 'model', cells=line)
        for (name, row), line in zip(rows, cells, strict=True)
    ]
    return dict(columns=columns, rows=lines)

"""A report of a training as one HTML page that needs no other file, no network and no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from mmscd.evaluation.functional import HIGHER_IS_BETTER, METRIC_NAMES

from .robustness import Comparison, robustness_section
from .style import CSS
from .svg_chart import Series, line_chart, smooth
from .training_log import TrainingLog

_TYPES = {b'\xff\xd8': 'image/jpeg', b'\x89P': 'image/png'}


@dataclass(frozen=True)
class Shot:
    """One picture of the report.

    Attributes:
        picture: bytes of a JPEG or PNG file.
        caption: beside the badge.
        detail: small, below.
        badge: '', 'best' or 'worst'.
    """

    picture: bytes
    caption: str
    detail: str = ''
    badge: str = ''


@dataclass
class Report:
    """What the page shows; everything is plain text and is escaped.

    Attributes:
        title: of the page.
        rows: of the metrics table, as `DepthMetric(table_path=...)` writes them.
        protocol: below the table.
        log: of the training, None where there is none.
        shots: pictures.
        facts: name and value of what the numbers depend on.
        commands: what it does, and the command line.
        notes: what a reader should know before believing the numbers.
        robustness: models compared on corrupted images.
    """

    title: str
    rows: Sequence[Mapping[str, float | str | None]]
    protocol: str
    log: TrainingLog | None = None
    shots: Sequence[Shot] = ()
    facts: Sequence[tuple[str, str]] = ()
    commands: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = field(default_factory=list)
    robustness: Comparison | None = None


def model_row(rows: Sequence[Mapping]) -> Mapping:
    """The model's row.

    Raises:
        ValueError: there is none.
    """
    for row in rows:
        if row.get('key') == 'model':
            return row
    raise ValueError(f'no row of the table has the key "model": {[r.get("name") for r in rows]}')


def best_references(rows: Sequence[Mapping]) -> dict[str, float]:
    """Lowest abs_rel of each kind of naive predictor: {'constant depth': 0.48, ...}.

    A kind with several members goes by 'best <kind>', e.g. 'best flat road'.
    """
    kinds: dict[str, list[Mapping]] = {}
    for row in rows:
        if row['key'] != 'model':
            kinds.setdefault(row['key'], []).append(row)
    return {
        kind_name(f'best_{key}') if len(group) > 1 else group[0]['name']: min(
            row['abs_rel'] for row in group
        )
        for key, group in kinds.items()
    }


def kind_name(key: str) -> str:
    """'best_flat_road' -> 'best flat road'; 'constant' -> 'constant depth'."""
    return 'constant depth' if key == 'constant' else key.replace('_', ' ')


def summary_sentence(rows: Sequence[Mapping]) -> str:
    """E.g. 'abs_rel 0.181 on 28 held-out frames; best flat road 0.33, mean depth map 0.31.'"""
    model = model_row(rows)
    text = f'abs_rel {model["abs_rel"]:.3f} on {model["n_images"]} held-out frames'
    naive = sorted(best_references(rows).items(), key=lambda item: item[1])
    if naive:
        text += '; ' + ', '.join(f'{name} {value:.2f}' for name, value in naive)
    return text + '.'


def verdict(rows: Sequence[Mapping]) -> str:
    """How the model stands to the best predictor that never looks at the image; '' without one."""
    naive = best_references(rows)
    if not naive:
        return ''
    name, floor = min(naive.items(), key=lambda item: item[1])
    share = 1 - model_row(rows)['abs_rel'] / floor
    if share > 0:
        return (
            f'That is {100 * share:.0f} % less error than the best predictor that never looks at '
            f'the image ({name}).'
        )
    return f'That is no better than a predictor that never looks at the image ({name}).'


def describe_duration(seconds: float) -> str:
    """'48 s', '12 min', '3 h 5 min'."""
    if seconds < 60:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 60 else f'{minutes // 60} h {minutes % 60} min'


def build_page(report: Report) -> str:
    """The whole page.

    Args:
        report: its content.

    Returns:
        HTML.

    Raises:
        ValueError: the table has no row of the model, or a picture is neither JPEG nor PNG.
    """
    title = escape(report.title)
    body = [
        f'<h1>{title}</h1><p class="lead">{escape(summary_sentence(report.rows))}</p>',
        f'<p class="soft">{escape(verdict(report.rows))}</p>',
        _tiles(report),
        *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
        '<h2>Training</h2>' + _charts(report.log),
        '<h2>Metrics on the test images</h2>' + _table(report.rows, report.protocol),
        robustness_section(report.robustness) if report.robustness else '',
        _shots(report.shots),
        '<h2>To repeat it</h2>' + _commands(report.commands),
        _facts(report.facts),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{title}</title><style>{CSS}</style></head><body><main>\n'
        + '\n'.join(part for part in body if part)
        + '\n</main></body></html>\n'
    )


def _tiles(report: Report) -> str:
    model = model_row(report.rows)
    tiles = [
        (f'{model["abs_rel"]:.3f}', 'abs_rel, lower is better'),
        (f'{100 * model["delta1"]:.1f} %', 'of pixels within 25 % (delta1)'),
        (f'{model["rmse"]:.2f} m', 'rmse'),
    ]
    if report.log and report.log.seconds is not None:
        device = f' on {report.log.device}' if report.log.device else ''
        label = f'training, {report.log.last_iteration} iterations{device}'
        tiles.append((describe_duration(report.log.seconds), label))
    cells = (
        f'<div class="tile"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _charts(log: TrainingLog | None) -> str:
    if log is None:
        return '<p class="note">The work folder holds no training log, so there is no curve.</p>'
    charts, end = [], log.last_iteration
    if log.loss:
        smoothed = smooth([value for _, value in log.loss])
        steps = [step for step, _ in log.loss]
        lines = [
            Series('as logged', log.loss, 'raw'),
            Series('smoothed', list(zip(steps, smoothed, strict=True))),
        ]
        charts.append(
            (
                'Training loss',
                'thin: as logged, bold: smoothed',
                line_chart(lines, 'iteration', 'loss', x_max=end),
            )
        )
    if log.validation:
        references = {kind_name(key): value for key, value in log.references.items()}
        line = Series('abs_rel', log.validation, 'marked')
        about = 'dashed: predictors that never look at the image' if references else ''
        chart = line_chart([line], 'iteration', 'abs_rel', references, end)
        charts.append(('Error on the validation images', about, chart))
    figures = (
        f'<figure><figcaption><b>{name}</b><span>{about}</span></figcaption>{svg}</figure>'
        for name, about, svg in charts
    )
    missing = '' if log.validation else '<p class="note">No validation was logged.</p>'
    return f'<div class="charts">{"".join(figures)}</div>{missing}'


def _table(rows: Sequence[Mapping], protocol: str) -> str:
    best = {
        key: (max if key in HIGHER_IS_BETTER else min)(round(row[key], 3) for row in rows)
        for key in METRIC_NAMES
    }
    head = ''.join(
        f'<th scope="col">{key} {"↑" if key in HIGHER_IS_BETTER else "↓"}</th>'
        for key in METRIC_NAMES
    )
    lines = []
    for row in rows:
        cells = ''
        for key in METRIC_NAMES:
            mark = ' class="best"' if round(row[key], 3) == best[key] else ''
            cells += f'<td{mark}>{row[key]:.3f}</td>'
        mark = ' class="model"' if row['key'] == 'model' else ''
        lines.append(f'<tr{mark}><td>{escape(str(row["name"]))}</td>{cells}</tr>')
    return (
        '<div class="card scroll"><table><thead><tr><th></th>'
        f'{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
        f'<p class="soft under">{escape(protocol)}. Bold: best of the column.</p>'
    )


def _shots(shots: Sequence[Shot]) -> str:
    if not shots:
        return ''
    figures = []
    for shot in shots:
        badge = f'<b class="badge {shot.badge}">{shot.badge}</b>' if shot.badge else ''
        alt = escape(f'image, depth and error: {shot.caption}', quote=True)
        figures.append(
            f'<figure><figcaption>{badge}<b>{escape(shot.caption)}</b>'
            f'<span>{escape(shot.detail)}</span></figcaption>'
            f'<img alt="{alt}" src="{_data_uri(shot.picture)}"></figure>'
        )
    return (
        '<h2>Test images</h2><p class="soft">Each: the image, the predicted depth (near is '
        'bright), the relative error where there is ground truth.</p>'
        f'<div class="shots">{"".join(figures)}</div>'
    )


def _data_uri(picture: bytes) -> str:
    kind = _TYPES.get(picture[:2])
    if kind is None:
        raise ValueError(f'a picture is neither JPEG nor PNG: it starts with {picture[:8]!r}')
    return f'data:{kind};base64,{base64.b64encode(picture).decode()}'


def _commands(commands: Sequence[tuple[str, str]]) -> str:
    return ''.join(
        f'<p class="soft">{escape(name)}</p><pre>{escape(command)}</pre>'
        for name, command in commands
    )


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    items = ''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in facts)
    return f'<dl class="card">{items}</dl>' if items else ''

"""The part of a report that compares models on corrupted images."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLUMNS = (
    ('clean abs_rel', 'clean_abs_rel', min),
    ('corrupted abs_rel', 'abs_rel', min),
    ('clean DEE', 'clean_dee', min),
    ('corrupted DEE', 'mean_dee', min),
    ('mCE %', 'mce', min),
    ('mRR %', 'mrr', max),
)


@dataclass(frozen=True)
class Comparison:
    """What `test_robustness.py` found.

    Attributes:
        models: name -> number by the keys of `COLUMNS`.
        about: what the numbers depend on.
        baseline: name of the model that others are compared with, '' where it is none of these.
        chart: an SVG document.
        examples: bytes of a PNG file.
    """

    models: Mapping[str, Mapping[str, float]]
    about: str
    baseline: str
    chart: bytes
    examples: bytes


def read_comparison(folder: str | Path) -> Comparison:
    """Read the folder that `test_robustness.py --out` wrote.

    Raises:
        FileNotFoundError: a file of it is missing, so the benchmark has not been finished.
    """
    folder = Path(folder)
    files = {}
    for name in ('summary.json', 'dee.svg', 'examples.png'):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f'{folder / name} is missing: run test_robustness.py --out {folder} to its end'
            )
        files[name] = (folder / name).read_bytes()
    content = json.loads(files['summary.json'])
    models = {}
    for name, model in content['models'].items():
        rows = dict(model['corruptions'])
        clean = rows.pop('clean')
        models[name] = dict(
            model['summary'],
            clean_abs_rel=clean['abs_rel'],
            abs_rel=sum(row['abs_rel'] for row in rows.values()) / len(rows),
        )
    settings = content['settings']
    names = [key for key in rows if key != 'clean']
    about = (
        f'{settings["n_images"]} test images; {len(names)} corruptions ({", ".join(names)}) at '
        f'severities {", ".join(map(str, settings["severities"]))}; protocol '
        f'{settings["protocol"]}; {settings["metric"]}'
    )
    baseline = settings['baseline'] if settings['baseline'] in models else ''
    return Comparison(models, about, baseline, files['dee.svg'], files['examples.png'])


def verdict(comparison: Comparison) -> str:
    """One sentence about every model beside the baseline; '' without a baseline."""
    if not comparison.baseline:
        return ''
    base = comparison.models[comparison.baseline]
    harm = base['mean_dee'] - base['clean_dee']
    sentences = []
    for name, model in comparison.models.items():
        if name != comparison.baseline and harm > 0:
            share = (model['mean_dee'] - base['clean_dee']) / harm
            sentences.append(
                f'The error that corruption adds to {comparison.baseline} is {harm:.3f} (DEE); '
                f'with {name} {100 * share:.0f} % of it is left, and clean abs_rel is '
                f'{model["clean_abs_rel"] / base["clean_abs_rel"]:.2f} times that of '
                f'{comparison.baseline}.'
            )
    return ' '.join(sentences)


def robustness_section(comparison: Comparison) -> str:
    """HTML: a sentence, a table, the chart and the examples."""
    head = ''.join(
        f'<th scope="col">{title} {"↑" if best is max else "↓"}</th>' for title, _, best in COLUMNS
    )
    lines = []
    for name, model in comparison.models.items():
        cells = ''
        for _, key, best in COLUMNS:
            values = [row[key] for row in comparison.models.values() if row[key] is not None]
            mark = ' class="best"' if values and model[key] == best(values) else ''
            digits = 1 if key in ('mce', 'mrr') else 3
            text = '' if model[key] is None else f'{model[key]:.{digits}f}'
            cells += f'<td{mark}>{text}</td>'
        lines.append(f'<tr><td>{escape(name)}</td>{cells}</tr>')
    chart, examples = (
        f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
        for kind, data in (('svg+xml', comparison.chart), ('png', comparison.examples))
    )
    return (
        '<h2>Corrupted test images</h2>'
        f'<p>{escape(verdict(comparison))}</p>'
        f'<div class="card scroll"><table><thead><tr><th></th>{head}</tr></thead>'
        f'<tbody>{"".join(lines)}</tbody></table></div>'
        f'<p class="soft under">{escape(comparison.about)}. Bold: best of the column.</p>'
        '<figure class="wide"><figcaption><b>DEE by corruption</b></figcaption>'
        f'<img alt="bar chart of DEE by corruption and model" src="{chart}"></figure>'
        '<figure class="wide"><figcaption><b>What the models see and say</b></figcaption>'
        f'<img alt="corrupted images and predicted depth" src="{examples}"></figure>'
    )

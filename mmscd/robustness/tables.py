"""What a run leaves: tables, files and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.evaluation.functional import METRIC_NAMES
from mmscd.evaluation.label_files import OBJECTS
from mmscd.utils.files import atomic_write, write_csv, write_json
from mmscd.utils.text_table import text_table
from mmscd.visualization.charts import bar_chart
from mmscd.visualization.rendering import save_image

from .contestants import Contestant, RobustnessOptions
from .examples import example_sheet, predict_examples
from .paired import compare_variants
from .scores import (
    CLEAN,
    MONODEPTH2_DEE,
    PUBLISHED_BASELINE,
    Passes,
    Rows,
    average_severities,
    mean_of,
    score_robustness,
)
from .store import write_image_errors

IMAGE_ERRORS = 'image_errors.json'
# name of a model -> what `average_severities` and `score_robustness` give
Judged = Mapping[str, tuple[Rows, Mapping[str, float]]]


def write_results(
    models: Sequence[Contestant],
    options: RobustnessOptions,
    files: Mapping[str, Mapping[str, str]],
    ids: Sequence[str],
    out: Path,
) -> str:
    """Write tables, files and pictures of a complete run; says the tables, and what was written.

    `files` are config and checkpoint by name of the model, `ids` those of the images.
    """
    levels, metric = options.severities, models[0].metric.describe()
    passes = {m.name: {p: m.store.summarize(p, ids) for p in options.passes} for m in models}
    rows = {n: average_severities(own, options.corruptions, levels) for n, own in passes.items()}
    baseline, remark = _find_baseline(options, rows)
    judged = {name: (part, score_robustness(part, baseline)) for name, part in rows.items()}
    settings = dict(
        n_images=len(ids),
        protocol=options.protocol,
        seed=options.seed,
        kitti_c=options.kitti_c,
        severities=levels,
        metric=metric,
        models=files,
        baseline=options.baseline if baseline else None,
    )
    errors = {m.name: m.store.image_errors(options.passes, ids) for m in models}
    write_image_errors(out / IMAGE_ERRORS, errors)
    paired: tuple[str, list] = ('name one of them by --baseline to see paired differences', [])
    if options.baseline in errors:
        runs = {name: {0: own} for name, own in errors.items()}
        paired = compare_variants(runs, options.baseline, options.by_corruption)
    write_robustness(out, settings, judged, passes, paired[1])
    source = f'KITTI-C of {options.kitti_c}' if options.kitti_c else f'seed {options.seed}'
    said = ' '.join(map(str, levels))
    title = f'{len(ids)} images, protocol {options.protocol}, {source}, severities {said}; {metric}'
    tables = [make_corruption_table(*judged[name], f'{name}: {title}') for name in judged]
    if len(models) > 1:
        tables += [make_comparison_table(judged), paired[0]]
    count = len(options.corruptions) - len(options.conditions)
    if options.conditions or count < len(CORRUPTIONS):
        remark += f'. Means are over {count} of {len(CORRUPTIONS)} corruptions'
    if options.conditions:
        remark += f' and the conditions {", ".join(options.conditions)} of {options.shifted}'
    for name, own in passes.items():
        if broken := [' '.join(map(str, p)) for p, means in own.items() if means['n_not_finite']]:
            remark += f'. {name}: predictions of {len(broken)} of {len(own)} passes are not finite '
            remark += f'(first: {broken[0]}), so that they have no numbers'
    text = '\n\n'.join([*tables, remark]) + '\n'
    atomic_write(out / 'tables.txt', text.encode())
    written = f'summary.json, corruptions.csv, severities.csv, {IMAGE_ERRORS}, tables.txt, passes/'
    if all(math.isfinite(summary['mrr']) for _, summary in judged.values()):
        _write_pictures(models, options, rows, baseline, out)
        written += ', dee.svg, examples.png'
    return f'\n{text}\nwritten: {out}/{written}'


def _find_baseline(
    options: RobustnessOptions, rows: Mapping[str, Rows]
) -> tuple[dict[str, float] | None, str]:
    """DEE of the baseline (None: no CE), and what to say about it."""
    if options.baseline != PUBLISHED_BASELINE:
        dee = {key: row['dee'] for key, row in rows[options.baseline].items()}
        return dee, f'CE is relative to {options.baseline}, measured here'
    if options.severities != SEVERITIES or options.conditions:
        known = 'the severities 1 to 5' + ' of corruptions' * bool(options.conditions)
        return None, f'no CE: the published baseline is a mean over {known}'
    return MONODEPTH2_DEE, (
        'CE is relative to Monodepth2 as RoboDepth publishes it: 697 Eigen images at 640x192, '
        'protocol robodepth. On other images or sizes compare with --baseline instead'
    )


def _write_pictures(
    models: Sequence[Contestant],
    options: RobustnessOptions,
    rows: Mapping[str, Rows],
    baseline: Mapping[str, float] | None,
    out: Path,
) -> None:
    """The chart and the sheet of examples."""
    dee = {name: {key: row['dee'] for key, row in part.items()} for name, part in rows.items()}
    levels = options.severities
    title = f'DEE, mean over severities {", ".join(map(str, levels))} (lower is better)'
    atomic_write(out / 'dee.svg', bar_chart(dee, title, baseline, options.baseline).encode())
    examples = predict_examples(models, options, levels[len(levels) // 2])
    save_image(example_sheet(examples), out / 'examples.png')


def make_corruption_table(rows: Rows, summary: Mapping[str, float], title: str) -> str:
    """The table of one model as `score_robustness` leaves it: a line per corruption, then means."""
    extra = [OBJECTS] if OBJECTS in rows[CLEAN] else []
    data = [['corruption', 'abs_rel ↓', 'delta1 ↑', 'DEE ↓', 'CE % ↓', 'RR % ↑']]
    data[0] += [f'{name} ↓' for name in extra]
    for name, row in rows.items():
        numbers = [_number(row[key], 4) for key in ('abs_rel', 'delta1', 'dee')]
        numbers += [_number(row.get(key, math.nan), 2) for key in ('ce', 'rr')]
        data.append([name, *numbers, *(_number(row[key], 4) for key in extra)])
    corrupted = [row for name, row in rows.items() if name != CLEAN]
    means = [mean_of(row[key] for row in corrupted) for key in ('abs_rel', 'delta1')]
    last = [_number(mean, 4) for mean in (*means, summary['mean_dee'])]
    last += [f'm{key.upper()} {_number(summary[f"m{key}"], 2)}' for key in ('ce', 'rr')]
    last += [_number(mean_of(row[key] for row in corrupted), 4) for key in extra]
    return text_table([*data, ['mean', *last]], title)


def make_comparison_table(models: Judged) -> str:
    """DEE of several models side by side, mCE and mRR below."""
    data = [['DEE ↓', *models]]
    for name in next(iter(models.values()))[0]:
        data.append([name, *(_number(rows[name]['dee'], 4) for rows, _ in models.values())])
    for label, key in (('mCE % ↓', 'mce'), ('mRR % ↑', 'mrr')):
        data.append([label, *(_number(summary[key], 2) for _, summary in models.values())])
    return text_table(data)


def _number(value: float, digits: int) -> str:
    return '-' if math.isnan(value) else f'{value:.{digits}f}'


def write_robustness(
    folder: Path,
    settings: Mapping[str, Any],
    models: Judged,
    passes: Mapping[str, Passes],
    paired: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write `summary.json`, `corruptions.csv` (means) and `severities.csv` (passes by model);
    `paired` are the findings of `compare_variants`."""
    means, levels, content = [], [], {}
    for name, (rows, summary) in models.items():
        means += [dict(row, model=name, corruption=key) for key, row in rows.items()]
        own = [
            dict(metrics, model=name, corruption=key, severity=level)
            for (key, level), metrics in passes[name].items()
        ]
        levels += own
        content[name] = dict(summary=summary, corruptions=rows, passes=own)
    write_json(folder / 'summary.json', dict(settings=settings, models=content, paired=paired))
    fields = ['model', 'corruption', 'abs_rel', 'delta1', 'dee', 'ce', 'rr']
    fields += [OBJECTS] * any(OBJECTS in row for row in means)
    write_csv(folder / 'corruptions.csv', fields, means)
    fields = ['model', 'corruption', 'severity', *METRIC_NAMES, 'dee', 'psnr', 'n_images']
    write_csv(folder / 'severities.csv', fields, levels)

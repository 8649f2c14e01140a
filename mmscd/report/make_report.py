"""Evaluate a checkpoint once on the test images, and make the page about its training."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmscd.engine import launch
from mmscd.evaluation.metrics.depth_metric import find_depth_metric
from mmscd.utils.config import load_config
from mmscd.utils.files import atomic_write
from mmscd.version import __version__

from .page import Report, Shot, build_page, describe_duration
from .robustness import read_comparison
from .training_log import TrainingLog, read_training_log


@dataclass(frozen=True)
class Request:
    """What a report is asked for; the command line says what each of them is.

    `work_dir` is read for its log; `images` are so many of the test set, at least 2 (the best and
    the worst); `robustness` is a folder that `test_robustness.py --out` has written.
    """

    config: str
    checkpoint: str
    work_dir: str
    out: str | os.PathLike
    title: str | None = None
    images: int = 6
    robustness: str | None = None
    cfg_options: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.images < 2:
            raise ValueError(f'--images must be at least 2 (best and worst), got {self.images}')


def make_report(request: Request) -> str:
    """Write the page and nothing else; returns what was written, in a sentence.

    Raises ValueError where the weights are of another model or nothing in the config judges depth,
    FileNotFoundError where config, checkpoint, work dir, or a file of the robustness folder is
    missing.
    """
    cfg = load_config(request.config, request.cfg_options)
    compared = read_comparison(request.robustness) if request.robustness else None
    if not os.path.isdir(request.work_dir):
        raise FileNotFoundError(f'there is no work dir {request.work_dir}: give that of a training')
    log = read_training_log(request.work_dir)
    title = request.title or Path(request.config.rsplit(':', 1)[-1]).stem
    # before `evaluate`, which changes the config
    commands, facts = list_commands(request, cfg), list_facts(request, cfg, log)
    notes = list_notes(request.checkpoint, cfg, log)
    with tempfile.TemporaryDirectory(prefix='mmscd_report_') as name:
        table, images = evaluate(cfg, request.checkpoint, Path(name))
        shots = collect_shots(images, request.images, Path(name) / 'pictures')
    rows, protocol = table['rows'], table['protocol']
    report = Report(title, rows, protocol, log, shots, facts, commands, notes, compared)
    page = build_page(report).encode()
    atomic_write(request.out, page)
    return f'{request.out}: {len(page) / 1e6:.1f} MB, {len(shots)} images'


def evaluate(cfg: Config, checkpoint: str, folder: Path) -> tuple[dict, list[dict]]:
    """Test a checkpoint; logs, numbers and `pictures` go to `folder`. Changes `cfg`.

    Returns what `DepthMetric` writes to its `table_path`, and the images of its `per_image_path`.
    """
    network = launch.load_for_test(cfg, checkpoint)
    cfg.work_dir = str(folder / 'work')
    metric = find_depth_metric(cfg)
    metric['table_path'] = str(folder / 'table.json')
    metric['per_image_path'] = str(folder / 'images.json')
    launch.draw_to(cfg, folder / 'pictures')
    # no web service hears of it; and the pictures are judged as the table is
    cfg.vis_backends = [dict(type='LocalVisBackend')]
    cfg.visualizer.vis_backends = cfg.vis_backends
    cfg.visualizer.protocol = metric.get('protocol', 'kitti_eigen')
    launch.build_runner(cfg, network=network).test()
    table = json.loads((folder / 'table.json').read_text())
    return table, json.loads((folder / 'images.json').read_text())['images']


def choose_images(images: Sequence[Mapping[str, Any]], count: int) -> list[tuple[str, Mapping]]:
    """(badge, image) of at most `count` >= 2 with an abs_rel (None: there is no ground truth).

    Best first, worst second, then others spread evenly over the set, in its order.
    """
    judged = [image for image in images if image['abs_rel'] is not None]
    order = sorted(range(len(judged)), key=lambda i: judged[i]['abs_rel'])
    ends = [order[0], order[-1]] if len(order) > 1 else order
    rest = [i for i in range(len(judged)) if i not in ends]
    number = min(max(count - len(ends), 0), len(rest))
    # the middles of `number` equal parts
    picked = [rest[int((k + 0.5) * len(rest) / number)] for k in range(number)]
    badges = ['best', 'worst'][: len(ends)] + [''] * number
    return [(badge, judged[i]) for badge, i in zip(badges, [*ends, *picked], strict=True)]


def collect_shots(images: Sequence[Mapping], count: int, folder: Path) -> list[Shot]:
    """The chosen pictures of `DepthVisualizationHook`, found by the index in their names."""
    shots = []
    for badge, image in choose_images(images, count):
        files = sorted(folder.glob(f'{int(image["sample_idx"]):05d}_*'))
        if files:
            # KITTI keeps images in folders called data, of which every drive has one
            parts = [part for part in Path(image['img_path']).parts if part != 'data']
            caption = f'abs_rel {image["abs_rel"]:.3f}'
            shots.append(Shot(files[0].read_bytes(), caption, '/'.join(parts[-3:]), badge))
    return shots


def list_commands(request: Request, cfg: Config) -> list[tuple[str, str]]:
    """The command lines that lead to the page, one option a line."""
    values = {key: os.environ[key] for key in cfg.env_variables if key in os.environ}
    before = [f'{key}={shlex.quote(value)}' for key, value in sorted(values.items())]
    words = [f'{key}={value}' for key, value in (request.cfg_options or {}).items()]
    options = ['--cfg-options', *words] if words else []
    report = ['tools/analysis_tools/make_report.py']
    for name in ('work_dir', 'config', 'checkpoint', 'out', 'title', 'images', 'robustness'):
        if (value := getattr(request, name)) is not None:
            report += [f'--{name.replace("_", "-")}', str(value)]
    lines = {
        'Train': ['tools/train.py', request.config, '--work-dir', request.work_dir, *options],
        'Evaluate': ['tools/test.py', request.config, request.checkpoint, *options],
        'Make this page': [*report, *options],
    }
    out = []
    for name, line in lines.items():
        command = 'python'
        for word in line:
            command += (' \\\n    ' if word.startswith('--') else ' ') + shlex.quote(word)
        out.append((name, ' \\\n'.join([*before, command])))
    return out


def list_facts(request: Request, cfg: Config, log: TrainingLog | None) -> list[tuple[str, str]]:
    """Name and value of what the numbers depend on."""
    facts = [('Config', request.config), ('Checkpoint', Path(request.checkpoint).name)]
    if log is not None:
        text = f'{log.last_iteration} iterations'
        if batch := cfg.get('train_dataloader', {}).get('batch_size'):
            text += f' of batch {batch}'
        if log.seconds is not None:
            text += f', {describe_duration(log.seconds)} with validation'
        if log.starts > 1:
            text += f', in {log.starts} starts'
        facts.append(('Training', text))
        if log.begun:
            facts.append(('Begun', log.begun))
    dataset = cfg.test_dataloader.dataset
    named = ' '.join(str(dataset[key]) for key in ('type', 'ann_file') if key in dataset)
    versions = f'mmscd {__version__}, torch {torch.__version__}, numpy {np.__version__}'
    software = f'{versions}, Python {platform.python_version()}'
    return [*facts, ('Test set', named), ('Software', software)]


def list_notes(checkpoint: str, cfg: Config, log: TrainingLog | None) -> list[str]:
    """What a reader should know before believing the numbers."""
    notes, name = [], Path(checkpoint).stem
    planned = cfg.get('train_cfg', {}).get('max_iters')
    if log is not None and planned and log.last_iteration < 0.98 * planned:
        notes.append(f'Unfinished: the log ends at iteration {log.last_iteration} of {planned}.')
    used = re.search(r'iter_(\d+)', name)
    if log is not None and used and int(used[1]) < 0.98 * log.last_iteration:
        end = f'the training log goes on to {log.last_iteration}'
        notes.append(f'The checkpoint is of iteration {used[1]}; {end}.')
    val, test = cfg.get('val_dataloader'), cfg.test_dataloader
    if val is not None and val.dataset == test.dataset and 'best' in name:
        notes.append(
            'Validation and test images are the same, and the checkpoint was chosen by its error '
            'on them: the numbers are a little too good.'
        )
    return notes

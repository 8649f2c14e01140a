"""What training costs: steps and the loading of samples timed in turns, whole trainings, losses."""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from terminaltables import AsciiTable
from torch import Tensor, nn

from mmscd.models.loading import disable_initial_weights

from . import launch
from .benchmark_loss import EagerLoss
from .hooks import IsomorphicGraphDistillHook
from .hooks.isomorphic_graph_distill_hook import find_distiller
from .step_parts import PARTS, PartClock, count_generated, count_operations

Side = Callable[[], Any]


def take_turns(sides: Mapping[str, Side], turns: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of every timed turn of every side, after `warm_up` untimed ones. Turns alternate, so
    that what else the machine does falls on all sides alike."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm_up + turns):
        for name, side in sides.items():
            _synchronise()
            begin = time.perf_counter()
            side()
            _synchronise()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - begin)
    return times


@dataclass
class Cost:
    """What one side was found to cost."""

    seconds: Sequence[float]  # of every turn
    waiting: float | None = None  # share of them in which it waits for data
    shares: dict[str, float] | None = None  # of every part of a step in its time
    operations: dict[str, int] | None = None  # by part of a step; '': not told apart

    def row(self, first: Cost, samples: int) -> dict[str, Any]:
        """Numbers for a table and a file; one turn works through so many samples, ratios are to
        another side and the median over pairs of turns."""
        own, median = self.seconds, statistics.median(self.seconds)
        return dict(
            median_ms=1000 * median,
            min_ms=1000 * min(own),
            samples_per_second=samples / median,
            ratio=statistics.median(a / b for a, b in zip(own, first.seconds, strict=True)),
            ratio_of_min=min(own) / min(first.seconds),
            waiting=self.waiting,
            shares=self.shares,
            operations=self.operations,
        )


def make_rows(costs: Mapping[str, Cost], samples: int) -> dict[str, dict[str, Any]]:
    """`Cost.row` of every side, against the first one."""
    first = next(iter(costs.values()))
    return {name: cost.row(first, samples) for name, cost in costs.items()}


def make_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """What `make_rows` gives; a second table by part where parts were told apart."""
    formats = dict(median_ms='.1f', min_ms='.1f', samples_per_second='.1f', ratio='.2f')
    formats |= dict(ratio_of_min='.2f', waiting='.1%')
    heads = ['median ms', 'min ms', 'samples/s', 'x first (median)', 'x first (min)']
    lines = [['', *heads, 'waiting for data', 'operations']]
    for name, row in rows.items():
        cells = ['' if row[k] is None else format(row[k], form) for k, form in formats.items()]
        lines.append([name, *cells, str(sum((row['operations'] or {}).values()) or '')])
    kept = [column for column in zip(*lines, strict=True) if any(column[1:])]
    parts = [['share of the time (operations)', *PARTS]]
    for name, row in rows.items():
        if row['shares']:
            counts = {part: f' ({count})' for part, count in (row['operations'] or {}).items()}
            parts.append([name, *(f'{row["shares"][p]:.1%}{counts.get(p, "")}' for p in PARTS)])
    tables = [list(zip(*kept, strict=True)), *[parts] * (len(parts) > 1)]
    return '\n'.join(AsciiTable(table).table for table in tables)


def describe_machine() -> dict[str, str]:
    """The device, threads and PyTorch that a time was measured with."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'
    threads = f'{torch.get_num_threads()} torch threads'
    return dict(device=device, threads=threads, torch=f'torch {torch.__version__}')


@dataclass
class TrainingStep:
    """Called, it does one training step on the next batch; its losses and notes."""

    model: BaseModel
    optimizer: OptimWrapper
    batches: Iterator[Any]

    def __call__(self) -> dict[str, Tensor]:
        """One step."""
        return self.model.train_step(next(self.batches), self.optimizer)

    def eager(self) -> dict[str, Tensor]:
        """One step that is not replayed, see `step_graph`: parts are told by Python."""
        return type(self.model).train_step(self.model, next(self.batches), self.optimizer)

    def share_of_parts(self, turns: int) -> dict[str, float]:
        """Of `turns` further steps, slower than others, the share of every part in the time."""
        clock = PartClock()
        with clock.watching(self.model, self.optimizer):
            for _ in range(turns):
                self.eager()
        return clock.shares()

    def count_by_part(self) -> dict[str, int]:
        """Operations of one step on a CPU, by part; `generated`: kernels made by a compiler."""
        clock, counts = PartClock(), Counter[str]()
        if self.model.compiled:
            counts['generated'] = count_generated(self.eager)
        with clock.watching(self.model, self.optimizer):
            for (part, _), count in count_operations(self.eager, clock).items():
                counts[part] += count
        return dict(counts)


def training_step(
    cfg: Config,
    work_dir: str,
    amp: bool = False,
    loss: nn.Module | None = None,
    fixed: bool = True,
) -> TrainingStep:
    """Training steps on one fixed batch, or on those of a training with seed 0, at full strength of
    every loss, as `tools/train.py --amp` would do them; the Runner writes to `work_dir`. `loss`
    replaces the photometric one."""
    runner = launch.build_runner(_bare_config(cfg, work_dir, amp))
    batches = iter(runner.build_dataloader(runner.cfg.train_dataloader, seed=0))
    if fixed:
        batches = itertools.repeat(next(batches))
    optimizer = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
    model = runner.model.train()
    if loss is not None:
        model.losses['photometric'] = loss
    for hook in runner.hooks:
        if isinstance(hook, IsomorphicGraphDistillHook):
            hook.before_train(runner)
            find_distiller(model).diagnose = False
    return TrainingStep(model, optimizer, batches)


def _bare_config(cfg: Config, work_dir: str, amp: bool, workers: int | None = 0) -> Config:
    """Of a training at full strength, without validation, from random weights; None workers: as
    many as the config has."""
    cfg = copy.deepcopy(cfg)
    # mmengine keeps loggers and visualizers, with their folders, by name
    name = 'step' + work_dir.replace('/', '_')
    cfg.update(work_dir=work_dir, log_level='WARNING', experiment_name=name)
    cfg.visualizer.name = name
    for part in ('cfg', 'dataloader', 'evaluator'):
        cfg[f'val_{part}'] = cfg[f'test_{part}'] = None
    cfg.default_hooks.checkpoint.save_best = None
    # strengths are 1 without a schedule
    cfg.default_hooks.schedule = None
    if workers is not None:
        cfg.train_dataloader.num_workers = workers
    disable_initial_weights(cfg.model)
    if amp:
        launch.set_amp(cfg)
    return cfg


def time_training(
    cfg: Config, work_dir: str, amp: bool, turns: int, warm_up: int
) -> tuple[float, float]:
    """Seconds of one of `turns` iterations of a training as `tools/train.py` does it, its hooks,
    logs and data loader included, after `warm_up` untimed ones; and the share of them in which it
    waits for data."""
    cfg = _bare_config(cfg, work_dir, amp, None)
    cfg.train_cfg.max_iters = warm_up + turns
    cfg.default_hooks.checkpoint.interval = warm_up + turns
    runner, watch = launch.build_runner(cfg), _Stopwatch(warm_up)
    runner.register_hook(watch)
    runner.train()
    return watch.seconds / turns, watch.waiting / watch.seconds


class _Stopwatch(Hook):
    def __init__(self, after: int) -> None:
        self.after, self.begin, self.seconds, self.waiting, self.last = after, 0.0, 0.0, 0.0, 0.0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.after:
            _synchronise()
            self.begin = time.perf_counter()
        elif runner.iter > self.after:
            self.waiting += time.perf_counter() - self.last

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if runner.iter + 1 == runner.max_iters:
            _synchronise()
            self.seconds = time.perf_counter() - self.begin
        self.last = time.perf_counter()


def reference_step(cfg: Config, work_dir: str) -> TrainingStep:
    """`training_step` of a config's networks and data with the loss of the usual form, in float32
    and NCHW order, with a plain Adam: what the steps of this package are timed against."""
    cfg = copy.deepcopy(cfg)
    usual = {name: cfg.model.losses[name] for name in ('photometric', 'smoothness')}
    cfg.model.update(losses=usual, distiller=None, pixel_weights=None)
    cfg.model.update(network_dtype=None, channels_last=False, cuda_graph=False)
    cfg.default_hooks.distill = None
    cfg.optim_wrapper.optimizer = dict(type='Adam', lr=1e-4, foreach=False)
    cfg.optim_wrapper.pop('constructor', None)
    return training_step(cfg, work_dir, loss=EagerLoss())


def loading_side(cfg: Config) -> Side:
    """A function that takes the next batch of a training's dataloader, as the config has it."""
    return partial(next, iter(launch.DepthRunner.build_dataloader(cfg.train_dataloader, seed=0)))


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

"""The corruption benchmark: models, passes, resuming, several processes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from mmscd.corruptions import VERSION
from mmscd.evaluation.metrics.depth_metric import find_protocol
from mmscd.evaluation.protocols import DepthProtocol, evaluate_pixels
from mmscd.evaluation.samples import predicted_depth
from mmscd.models import loading
from mmscd.robustness.scores import CLEAN
from mmscd.utils.config import load_config

from .data import (
    BenchmarkImage,
    BenchmarkImages,
    CorruptedImages,
    Pass,
    find_kitti_c,
    make_loader,
    split_chunks,
)
from .store import PassStore, digest


@dataclass(frozen=True)
class RobustnessOptions:
    """What a run does, besides the models.

    Attributes:
        corruptions, severities: the passes; clean images are always one.
        protocol: 'robodepth' or 'native', see `CorruptFrames`.
        seed: of the corruptions.
        batch_size: images per batch.
        workers: processes that corrupt while the network runs; 0: none.
        kitti_c: folder of a KITTI-C to read instead of corrupting.
        memory: bytes that decoded images may take.
        device: 'cpu', 'cuda:0', ...
    """

    corruptions: Sequence[str]
    severities: Sequence[int]
    protocol: str = 'robodepth'
    seed: int = 42
    batch_size: int = 8
    workers: int = 2
    kitti_c: str | None = None
    memory: float = 4e9
    device: str = 'cpu'

    @property
    def passes(self) -> list[Pass]:
        """Clean first, then corruption by corruption."""
        corrupted = [(name, level) for name in self.corruptions for level in self.severities]
        return [(CLEAN, 0), *corrupted]


@dataclass
class Contestant:
    """A model under test.

    Attributes:
        name: in tables and folders.
        cfg: its config.
        model: in eval mode, weights loaded.
        metric: evaluation protocol of its config.
        data_key: hash of its test data; models with the same one share corrupted images.
        store: where its results are.
    """

    name: str
    cfg: Config
    model: nn.Module
    metric: DepthProtocol
    data_key: str
    store: PassStore = field(repr=False)


def load_contestant(
    name: str,
    config: str,
    checkpoint: str,
    options: RobustnessOptions,
    folder: str | os.PathLike,
    cfg_options: dict | None = None,
) -> Contestant:
    """Build a model and load its weights.

    Args:
        name: of the model.
        config: path, or package::path.
        checkpoint: local file.
        options: of the run.
        folder: for results.
        cfg_options: overrides of the config.

    Raises:
        FileNotFoundError, RuntimeError: config or checkpoint is missing or broken.
        ValueError: the checkpoint lacks weights of the model, or the config has no DepthMetric.
    """
    cfg = load_config(config, cfg_options)
    model = loading.load_model(cfg, checkpoint, device=options.device, half=None)
    loading.disable_initial_weights(cfg.model)
    metric = find_protocol(cfg)
    data_key = digest(cfg.test_dataloader.dataset.to_dict())
    weights = hashlib.blake2b(Path(checkpoint).read_bytes(), digest_size=8).hexdigest()
    settings = (options.protocol, options.seed, options.kitti_c, VERSION)
    key = digest([data_key, weights, cfg.model.to_dict(), repr(metric), *settings])
    return Contestant(name, cfg, model, metric, data_key, PassStore(folder, name, key))


def run_passes(
    models: Sequence[Contestant],
    options: RobustnessOptions,
    share: tuple[int, int] = (0, 1),
    report: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Run what is missing of all passes of models with the same test data.

    Args:
        models: with one `data_key`.
        options: of the run.
        share: (rank, number of processes): every so manieth missing pass is done.
        report: gets a line after each pass.

    Returns:
        the ids of all images.

    Raises:
        OSError, ValueError: an image or its ground truth cannot be used. Passes that were finished
            before are on disk.
    """
    cfg = models[0].cfg
    source = BenchmarkImages(
        cfg.test_dataloader.dataset.to_dict(), options.protocol, models[0].metric
    )
    chunks = list(split_chunks(source, options.memory))
    if len(chunks) > 1:
        source.check_files()
    progress = _Progress(len(source), report)
    image_ids: list[str] = []
    for chunk in chunks:
        images = [source.load(number) for number in chunk]
        image_ids += [image.image_id for image in images]
        if options.kitti_c is not None:
            _check_kitti_c(images, options)
        _run_chunk(models, images, source, options, share, progress)
    if len(set(image_ids)) < len(image_ids):
        raise ValueError(f'{source.data_root} has images with the same path below it')
    return image_ids


def _check_kitti_c(images: Sequence[BenchmarkImage], options: RobustnessOptions) -> None:
    """Raise now what a later pass would raise."""
    for pass_ in options.passes[1:]:
        for image in images:
            find_kitti_c(options.kitti_c, pass_, image.image_id)


def _run_chunk(
    models: Sequence[Contestant],
    images: Sequence[BenchmarkImage],
    source: BenchmarkImages,
    options: RobustnessOptions,
    share: tuple[int, int],
    progress: _Progress,
) -> None:
    ids = [image.image_id for image in images]
    wanted = {
        pass_: [model for model in models if model.store.lacks(pass_, ids)]
        for pass_ in options.passes
    }
    if share[1] > 1:
        # nobody writes before everybody has looked
        torch.distributed.barrier()
    todo = [pass_ for pass_, lacking in wanted.items() if lacking][share[0] :: share[1]]
    progress.plan(len(todo) * len(images))
    if not todo:
        return
    data = CorruptedImages(images, todo, source, options.seed, options.kitti_c)
    results: dict[str, dict[str, Any]] = {}
    for batch in make_loader(data, options.batch_size, options.workers):
        if 'error' in batch:
            raise batch['error']
        pass_ = todo[batch['number']]
        for model in wanted[pass_]:
            records = _judge_batch(model, batch, images)
            results.setdefault(model.name, {}).update(records)
        progress.step(pass_, len(batch['indices']))
        if batch['indices'][-1] == len(images) - 1:
            for model in wanted[pass_]:
                model.store.add(pass_, results.pop(model.name))
            progress.finish(pass_, wanted[pass_], ids)


@torch.no_grad()
def _judge_batch(
    model: Contestant, batch: Mapping[str, Any], images: Sequence[BenchmarkImage]
) -> dict[str, dict[str, Any]]:
    """Records by image id: metrics (None without valid ground truth), psnr, seconds."""
    samples = model.model.test_step(batch['data'])
    records = {}
    for sample, number, psnr in zip(samples, batch['indices'], batch['psnr'], strict=True):
        image = images[number]
        metrics = None
        if image.depth.size:
            pred = predicted_depth(sample.to_dict(), image.shape).ravel()[image.index]
            metrics = evaluate_pixels(pred, image.depth, model.metric)
        seconds = batch['seconds'] / len(samples)
        records[image.image_id] = dict(metrics=metrics, psnr=psnr, seconds=seconds)
    return records


class _Progress:
    """Lines that say how far the run is."""

    def __init__(self, num_images: int, report: Callable[[str], None]) -> None:
        self.num_images, self.report = num_images, report
        self.begin, self.done, self.planned = time.monotonic(), 0, 0

    def plan(self, count: int) -> None:
        self.planned += count

    def step(self, pass_: Pass, count: int) -> None:
        self.done += count

    def finish(self, pass_: Pass, models: Sequence[Contestant], ids: Sequence[str]) -> None:
        seconds = time.monotonic() - self.begin
        left = seconds / self.done * (self.planned - self.done)
        numbers = []
        for model in models:
            summary = model.store.summarize(pass_, ids)
            numbers.append(
                f'{model.name} abs_rel {summary["abs_rel"]:.4f} DEE {summary["dee"]:.4f}'
            )
        name = pass_[0] if pass_[0] == CLEAN else f'{pass_[0]} {pass_[1]}'
        self.report(
            f'[{self.done}/{self.planned} images] {name}: {"; ".join(numbers)}; '
            f'{self.done / seconds:.1f} images/s, {_duration(left)} left'
        )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}'

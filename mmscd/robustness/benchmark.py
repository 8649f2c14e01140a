"""The corruption benchmark: from models and options to tables, files and pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import barrier, get_dist_info, init_dist

from mmscd.corruptions import CORRUPTIONS
from mmscd.evaluation.protocols import evaluate_pixels
from mmscd.evaluation.samples import predicted_depth
from mmscd.utils.files import check_writable
from mmscd.utils.names import check_names

from .contestants import Contestant, RobustnessOptions, load_contestant
from .data import (
    BenchmarkImage,
    BenchmarkImages,
    CorruptedImages,
    Pass,
    check_images,
    find_kitti_c,
    read_batches,
)
from .scores import CLEAN, PUBLISHED_BASELINE
from .tables import write_results


def run_benchmark(
    models: Sequence[tuple[str, str, str]],
    options: RobustnessOptions,
    out: Path,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
    report: Callable[[str], None] = print,
) -> None:
    """Run what is missing in a folder, then write tables, files and pictures into it.

    `models` are name, config and checkpoint of each, `cfg_options` hold for all. The processes of
    a `launcher` share the passes. `report` gets lines of progress, then the tables. After an
    OSError, ValueError or RuntimeError finished passes are on disk, and the same call goes on.
    """
    names = [name for name, *_ in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'two models are named {name!r}: choose other names')
    check_names('baseline', [options.baseline], [PUBLISHED_BASELINE, *names])
    _start_processes(launcher)
    # the workers are the parallel part; OpenCV's own threads would fight with them
    cv2.setNumThreads(0)
    try:
        check_writable(out)
        contestants = [load_contestant(*files, options, out, cfg_options) for files in models]
        ids = _run_groups(contestants, options, report)
        barrier()
        if get_dist_info()[0] == 0:
            files = {name: dict(config=config, checkpoint=file) for name, config, file in models}
            report(write_results(contestants, options, files, ids, out))
    except KeyboardInterrupt:
        said = 'interrupted: finished passes are kept, the same command goes on'
        raise SystemExit(said) from None
    except (OSError, ValueError, RuntimeError) as error:
        if not any(out.glob('passes/*/*.json')):
            raise
        kept = 'Finished passes are kept: the same command goes on.'
        raise RuntimeError(f'{error}\n{kept}') from error
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _start_processes(launcher: str) -> None:
    """Join the other processes, which only wait for one another."""
    if launcher == 'pytorch':
        if 'RANK' not in os.environ:
            raise RuntimeError('the launcher pytorch is for torchrun, which sets RANK: start it so')
        torch.distributed.init_process_group('gloo')
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())
    elif launcher != 'none':
        init_dist(launcher, backend='gloo')


def _run_groups(
    models: Sequence[Contestant], options: RobustnessOptions, report: Callable[[str], None]
) -> list[str]:
    """Run the passes; models with the same data together. Returns the ids of the images."""
    if len(metrics := {model.metric for model in models}) > 1:
        listed = sorted(map(repr, metrics))
        raise ValueError(f'the configs have different evaluation protocols: {listed}')
    groups: dict[str, list[Contestant]] = {}
    for model in models:
        groups.setdefault(model.data_key, []).append(model)
    ids = [_run_passes(group, options, report) for group in groups.values()]
    if any(own != ids[0] for own in ids):
        raise ValueError('the test data sets of the configs have different images')
    return ids[0]


def _run_passes(
    models: Sequence[Contestant], options: RobustnessOptions, report: Callable[[str], None]
) -> list[str]:
    """Run what is missing of the passes of models with one `data_key`; the ids of all images."""
    dataset = models[0].cfg.test_dataloader.dataset.to_dict()
    source = BenchmarkImages(dataset, options.protocol, models[0].metric)
    chunks = source.split(options.memory_gb * 1e9)
    if len(chunks) > 1:
        check_images(source.dataset)
    ids: list[str] = []
    for chunk in chunks:
        images = [source.load(number) for number in chunk]
        ids += [image.image_id for image in images]
        for pass_, image in product(options.passes[1:], images):
            folder = options.kitti_c if pass_[0] in CORRUPTIONS else options.shifted
            if folder is not None:  # raise now what a later pass would raise
                find_kitti_c(folder, pass_, image.image_id)
        _run_chunk(models, images, source, options, report)
    if len(set(ids)) < len(ids):
        raise ValueError(f'{source.data_root} has images with the same path below it')
    return ids


def _run_chunk(
    models: Sequence[Contestant],
    images: Sequence[BenchmarkImage],
    source: BenchmarkImages,
    options: RobustnessOptions,
    report: Callable[[str], None],
) -> None:
    """All passes over images that are in memory; of several processes each does its share."""
    ids = [image.image_id for image in images]
    wanted = {
        pass_: [model for model in models if model.store.lacks(pass_, ids)]
        for pass_ in options.passes
    }
    barrier()  # nobody writes before everybody has looked
    rank, world = get_dist_info()
    todo = [pass_ for pass_, lacking in wanted.items() if lacking][rank::world]
    places = options.kitti_c, options.shifted
    data = CorruptedImages(images, todo, source, options.seed, *places)
    begin, done, total = time.monotonic(), 0, len(todo) * len(images)
    results: dict[str, dict[str, Any]] = {}
    for batch in read_batches(data, options.batch_size, options.workers):
        pass_ = todo[batch['number']]
        for model in wanted[pass_]:
            results.setdefault(model.name, {}).update(_judge_batch(model, batch, images))
        done += len(batch['indices'])
        if batch['indices'][-1] < len(images) - 1:
            continue
        for model in wanted[pass_]:
            model.store.add(pass_, results.pop(model.name))
        speed = done / (time.monotonic() - begin)
        left = timedelta(seconds=round((total - done) / speed))
        prefix = f'rank {rank}: ' if world > 1 else ''
        said = _describe(pass_, wanted[pass_], ids)
        report(f'{prefix}[{done}/{total} images] {said}; {speed:.1f} images/s, {left} left')


@torch.no_grad()
def _judge_batch(
    model: Contestant, batch: Mapping[str, Any], images: Sequence[BenchmarkImage]
) -> dict[str, dict[str, Any]]:
    """Records by image id: metrics (None without valid ground truth) and psnr."""
    samples = model.model.test_step(batch['data'])
    records = {}
    for sample, number, psnr in zip(samples, batch['indices'], batch['psnr'], strict=True):
        image = images[number]
        metrics = None
        if image.depth.size:
            pred = predicted_depth(sample.to_dict(), image.shape).ravel()[image.index]
            metrics = evaluate_pixels(pred, image.depth, model.metric, image.objects)
        records[image.image_id] = dict(metrics=metrics, psnr=psnr)
    return records


def _describe(pass_: Pass, models: Sequence[Contestant], ids: Sequence[str]) -> str:
    """The numbers of a finished pass."""
    numbers = []
    for model in models:
        summary = model.store.summarize(pass_, ids)
        numbers.append(f'{model.name} abs_rel {summary["abs_rel"]:.4f} DEE {summary["dee"]:.4f}')
    return f'{" ".join(map(str, pass_)) if pass_[0] != CLEAN else CLEAN}: {"; ".join(numbers)}'

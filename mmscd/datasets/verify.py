"""A check of a copy of a data set: is all there, and can all of it be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmengine.config import Config

from mmscd.registry import DATASETS
from mmscd.utils.progress import track

from .formats.images import check_size, decode_rgb, image_size, read_bytes

LOADERS = ('train', 'val', 'test')
_COUNTS = ('samples', 'official', 'read')
COLUMNS = ('data loader', *_COUNTS, 'image sizes', 'truth (median)', 'problems')
_SHOWN_SIZES = 4


@dataclass
class Report:
    """What was found of one data loader.

    Attributes:
        name: of the data loader.
        official: the number of samples that it should have; None: not known.
        samples, checked: those that are there, and those that were read.
        sizes: images by (width, height).
        gt_shares: share of pixels with ground truth of each sample.
        problems, notes: a sentence each.
        interrupted: not all was read.
    """

    name: str
    official: int | None = None
    samples: int = 0
    checked: int = 0
    sizes: Counter = field(default_factory=Counter)
    gt_shares: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def row(self) -> list[str]:
        """Its line of a table with `COLUMNS`."""
        sizes = ', '.join(f'{w}x{h}' for (w, h), _ in self.sizes.most_common(_SHOWN_SIZES))
        if len(self.sizes) > _SHOWN_SIZES:
            sizes += f' and {len(self.sizes) - _SHOWN_SIZES} more'
        share = f'{100 * np.median(self.gt_shares):.2f} %' if self.gt_shares else 'none'
        official = 'not known' if self.official is None else str(self.official)
        counts = [str(self.samples), official, str(self.checked)]
        return [self.name, *counts, sizes or 'none', share, str(len(self.problems))]


def verify(
    cfg: Config,
    loaders: Sequence[str] = LOADERS,
    every: int = 1,
    decode: bool = True,
    workers: int = 4,
) -> list[Report]:
    """Index and read the data sets of a config.

    Args:
        cfg: with data loaders, and the numbers of their samples as `official_sizes`.
        loaders: out of `LOADERS`.
        every: read every so many-th sample only; 0: check only what there is.
        decode: decode the images; else read their sizes only.
        workers: threads.

    Returns:
        one report per data set; Ctrl-C ends with what is known so far.

    Raises:
        ValueError: the config has none of the data loaders.
    """
    reports = []
    for name, config, official in find_loaders(cfg, loaders):
        report = Report(name, official)
        reports.append(report)
        try:
            dataset = DATASETS.build(config)
        except (OSError, ValueError, KeyError) as error:
            report.problems.append(str(error))
            continue
        _count(dataset, report)
        if every:
            _read_all(dataset, report, every, decode, workers)
        if report.interrupted:
            break
    if not reports:
        raise ValueError(f'{cfg.filename} has no data loader out of {tuple(loaders)}')
    return reports


def find_loaders(cfg: Config, wanted: Sequence[str]) -> Iterator[tuple[str, dict, int | None]]:
    """(name, data set config, official size) of the data loaders, each data set once."""
    sizes = cfg.get('official_sizes', {})
    seen: list[Any] = []
    for key in (f'{name}_dataloader' for name in LOADERS if name in wanted):
        if cfg.get(key) is None or cfg[key].dataset in seen:
            continue
        seen.append(cfg[key].dataset)
        parts = list(_unwrap(cfg[key].dataset))
        for i, part in enumerate(parts):
            dataset = dict(part, pipeline=[], missing='drop')
            if dataset.get('gt_cache_dir') is not None:
                dataset['gt_cache_dir'] = None  # the files themselves are to be read
            if len(parts) == 1:
                yield key, dataset, sizes.get(key)
            else:
                yield f'{key} {i}', dataset, None


def _unwrap(dataset: dict) -> Iterator[dict]:
    """The data sets inside of mmengine's wrappers (ConcatDataset, RepeatDataset, ...)."""
    inner = dataset.get('datasets') or [dataset.get('dataset')]
    if inner == [None]:
        yield dataset
    else:
        for part in inner:
            yield from _unwrap(part)


def _count(dataset: Any, report: Report) -> None:
    """Compare the number of samples with the official one."""
    report.samples = len(dataset)
    official = report.official
    whole = report.samples == official or (official is None and not dataset.named)
    if dataset.incomplete and whole:
        report.notes.append(
            f'{len(dataset.incomplete)} samples are left out, as ends of sequences are (first: '
            f'{dataset.incomplete[0]})'
        )
    else:
        report.problems += [f'missing: {problem}' for problem in dataset.incomplete]
    if official is not None and report.samples != official:
        report.problems.append(
            f'{report.samples} complete samples, the official number is {official}: the copy is '
            'not whole, or the options differ from the official ones'
        )


def _read_all(dataset: Any, report: Report, every: int, decode: bool, workers: int) -> None:
    indices = range(0, len(dataset), every)
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda i: check_sample(dataset, i, decode), indices)
        try:
            for sizes, share, problem in track(results, len(indices), 'samples'):
                report.checked += 1
                report.sizes.update(sizes)
                report.gt_shares += [] if share is None else [share]
                report.problems += [] if problem is None else [problem]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            report.interrupted = True
            report.problems.append(f'interrupted after {report.checked} samples')


def check_sample(
    dataset: Any, index: int, decode: bool
) -> tuple[list[tuple[int, int]], float | None, str | None]:
    """Read all of a sample.

    Returns:
        sizes (width, height) of its images; the share of pixels with ground truth (None: the data
        set has none); what is wrong, or None.
    """
    sizes: list[tuple[int, int]] = []
    try:
        info = dataset.get_data_info(index)
        for path in info['frame_paths']:
            data = read_bytes(path)
            sizes.append(decode_rgb(data, path)[1] if decode else image_size(data, path))
            check_size(path, sizes[-1], info.get('camera_size', sizes[0]))
        depth = info.get('gt_depth')
        share = None if depth is None else float(np.mean(depth > 0))
        empty = f'{info["img_path"]}: its ground truth is empty' if share == 0 else None
        return sizes, share, empty
    except (OSError, ValueError, KeyError) as error:
        return sizes, None, str(error)

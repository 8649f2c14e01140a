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
    """What was found of one data loader: `official` is the number of samples that it should have
    (None: not known), `samples` are there, `checked` were read. `sizes` counts the images by
    (width, height), `gt_shares` has the share of pixels with ground truth of each sample."""

    name: str
    official: int | None = None
    samples: int = 0
    checked: int = 0
    sizes: Counter = field(default_factory=Counter)
    gt_shares: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
    cfg: Config, loaders: Sequence[str], every: int = 1, decode: bool = True, workers: int = 4
) -> list[Report]:
    """Index and read the data sets of a config with data loaders and, as `official_sizes`, the
    numbers of their samples. One report per data set; Ctrl-C ends with what is known so far.
    ValueError where the config has none of `loaders` (out of `LOADERS`).

    Only every so many-th sample is read, with 0 none; without `decode` only the sizes of the images
    are read. `workers` are threads.
    """
    reports = []
    for name, config, official in _find_loaders(cfg, loaders):
        report = Report(name, official)
        reports.append(report)
        try:
            dataset = DATASETS.build(config)
        except (OSError, ValueError, KeyError) as error:
            report.problems.append(str(error))
            continue
        _count(dataset, report)
        if every and not _read_all(dataset, report, every, decode, workers):
            break
    if not reports:
        raise ValueError(f'{cfg.filename} has no data loader out of {tuple(loaders)}')
    return reports


def _find_loaders(cfg: Config, wanted: Sequence[str]) -> Iterator[tuple[str, dict, int | None]]:
    """(name, data set config, official size) of the data loaders, each data set once."""
    sizes = cfg.get('official_sizes', {})
    seen: list[Any] = []
    for key in (f'{name}_dataloader' for name in LOADERS if name in wanted):
        if cfg.get(key) is None or cfg[key].dataset in seen:
            continue
        seen.append(cfg[key].dataset)
        parts = _unwrap(cfg[key].dataset)
        for i, part in enumerate(parts):
            dataset = dict(part, pipeline=[], missing='drop')
            if 'gt_cache_dir' in dataset:
                dataset['gt_cache_dir'] = None  # the files themselves are to be read
            single = len(parts) == 1
            yield (key if single else f'{key} {i}'), dataset, (sizes.get(key) if single else None)


def _unwrap(dataset: dict) -> list[dict]:
    """The data sets inside of mmengine's wrappers (ConcatDataset, RepeatDataset, ...)."""
    inner = dataset.get('datasets') or ([dataset['dataset']] if dataset.get('dataset') else [])
    return [part for child in inner for part in _unwrap(child)] or [dataset]


def _count(dataset: Any, report: Report) -> None:
    """Compare the number of samples with the official one."""
    report.samples = len(dataset)
    official = report.official
    whole = report.samples == official or (official is None and not dataset.named)
    if dataset.incomplete and whole:
        left_out = f'{len(dataset.incomplete)} samples are left out, as ends of sequences are'
        report.notes.append(f'{left_out} (first: {dataset.incomplete[0]})')
    else:
        report.problems += [f'missing: {problem}' for problem in dataset.incomplete]
    if official is not None and report.samples != official:
        found = f'{report.samples} complete samples, the official number is {official}'
        reason = 'the copy is not whole, or the options differ from the official ones'
        report.problems.append(f'{found}: {reason}')


def _read_all(dataset: Any, report: Report, every: int, decode: bool, workers: int) -> bool:
    """Whether it was not interrupted."""
    indices = range(0, len(dataset), every)
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda i: _check_sample(dataset, i, decode), indices)
        try:
            for sizes, share, problem in track(results, len(indices), 'samples'):
                report.checked += 1
                report.sizes.update(sizes)
                report.gt_shares += [] if share is None else [share]
                report.problems += [] if problem is None else [problem]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            report.problems.append(f'interrupted after {report.checked} samples')
            return False
    return True


def _check_sample(
    dataset: Any, index: int, decode: bool
) -> tuple[list[tuple[int, int]], float | None, str | None]:
    """Sizes (width, height) of the images of a sample; the share of pixels with ground truth (None:
    the data set has none); what is wrong, or None."""
    sizes: list[tuple[int, int]] = []
    try:
        info = dataset.get_data_info(index)
        for path in info['frame_paths']:
            data = read_bytes(path)
            sizes.append(decode_rgb(data, path)[1] if decode else image_size(data, path))
            expected = info.get('camera_size', sizes[0])
            check_size(path, sizes[-1], expected, info.get('camera_path'))
        depth = info.get('gt_depth')
        share = None if depth is None else float(np.mean(depth > 0))
        empty = f'{info["img_path"]}: its ground truth is empty' if share == 0 else None
        return sizes, share, empty
    except (OSError, ValueError, KeyError) as error:
        return sizes, None, str(error)

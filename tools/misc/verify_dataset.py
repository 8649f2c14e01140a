"""Check a copy of the data sets of a config: is all there, and can all of it be read.

Example::

    KITTI_2015_ROOT=/data/kitti_2015 python tools/misc/verify_dataset.py \
        configs/_base_/datasets/kitti_2015.py

For each data loader of the config (or those of --loaders) it indexes the data set, compares the
number of samples with the official one (`official_sizes` of the config), names every file that is
missing, and then reads all samples: images decode, they have the size of their calibration, the
calibration holds numbers, the ground truth reads and is not empty. Nothing is written. Ctrl-C ends
with the result so far. Exits with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from terminaltables import AsciiTable

import mmscd.datasets  # noqa: F401, registers the data sets
from mmscd.datasets.formats.images import decode_rgb, image_size, read_bytes
from mmscd.registry import DATASETS
from mmscd.utils.config import load_config

LOADERS = ('train', 'val', 'test')
INTERVAL = 5.0


@dataclass
class Report:
    """What was found of one data loader."""

    name: str
    samples: int = 0
    official: int | None = None
    checked: int = 0
    sizes: Counter = field(default_factory=Counter)
    gt_shares: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Its line of the table."""
        sizes = ', '.join(f'{w}x{h}' for (w, h), _ in self.sizes.most_common(4))
        if len(self.sizes) > 4:
            sizes += f' and {len(self.sizes) - 4} more'
        share = f'{100 * np.median(self.gt_shares):.2f} %' if self.gt_shares else 'none'
        official = 'not known' if self.official is None else str(self.official)
        return [
            self.name,
            str(self.samples),
            official,
            str(self.checked),
            sizes or 'none',
            share,
            str(len(self.problems)),
        ]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', help='with data loaders; a file of configs/_base_/datasets will do'
    )
    parser.add_argument('--loaders', nargs='+', choices=LOADERS, default=LOADERS)
    parser.add_argument('--every', type=int, default=1, help='read only every n-th sample')
    parser.add_argument(
        '--headers', action='store_true', help='read sizes of images but do not decode them'
    )
    parser.add_argument('--no-read', action='store_true', help='check only what there is')
    parser.add_argument('--workers', type=int, default=4, help='threads')
    parser.add_argument('--show', type=int, default=20, help='problems to print per data loader')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    args = parser.parse_args(argv)
    for name in ('every', 'workers', 'show'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1, got {getattr(args, name)}')
    return args


def unwrap(dataset: dict) -> Iterator[dict]:
    """The data sets inside of mmengine's wrappers (ConcatDataset, RepeatDataset, ...)."""
    inner = dataset.get('datasets') or [dataset.get('dataset')]
    if inner == [None]:
        yield dataset
    else:
        for part in inner:
            yield from unwrap(part)


def find_loaders(cfg: Config, wanted: Sequence[str]) -> Iterator[tuple[str, dict, int | None]]:
    """(name, data set config, official size) of the data loaders, each data set once."""
    sizes = cfg.get('official_sizes', {})
    seen: list[Any] = []
    for key in (f'{name}_dataloader' for name in LOADERS if name in wanted):
        if cfg.get(key) is None or cfg[key].dataset in seen:
            continue
        seen.append(cfg[key].dataset)
        parts = list(unwrap(cfg[key].dataset))
        for i, part in enumerate(parts):
            dataset = dict(part, pipeline=[], missing='drop')
            if dataset.get('gt_cache_dir') is not None:
                dataset['gt_cache_dir'] = None  # the files themselves are to be read
            if len(parts) == 1:
                yield key, dataset, sizes.get(key)
            else:
                yield f'{key} {i}', dataset, None


def check_sample(dataset: Any, index: int, decode: bool) -> tuple[list, float | None, str | None]:
    """Read all of a sample.

    Returns:
        sizes (width, height) of its images; the share of pixels with ground truth (None: the data
        set has none); what is wrong, or None.
    """
    sizes = []
    try:
        info = dataset.get_data_info(index)
        for path in info['frame_paths']:
            data = read_bytes(path)
            sizes.append(decode_rgb(data, path)[1] if decode else image_size(data, path))
        expected = info.get('camera_size')
        if len(set(sizes)) > 1 or (expected is not None and tuple(expected) != sizes[0]):
            problem = (
                f'{info["img_path"]}: its images are {sizes}, its calibration is for {expected} '
                '(width, height): use the original images'
            )
            return sizes, None, problem
        depth = info.get('gt_depth')
        if depth is None:
            return sizes, None, None
        share = float(np.mean(depth > 0))
        empty = None if share else f'{info["img_path"]}: its ground truth is empty'
        return sizes, share, empty
    except (OSError, ValueError, KeyError) as error:
        return sizes, None, str(error)


def read_all(dataset: Any, report: Report, args: argparse.Namespace) -> None:
    """Read the samples into the report, with progress on stderr."""
    indices = range(0, len(dataset), args.every)
    start = shown = time.monotonic()
    with ThreadPoolExecutor(args.workers) as pool:
        results = pool.map(lambda i: check_sample(dataset, i, not args.headers), indices)
        try:
            for sizes, share, problem in results:
                report.checked += 1
                report.sizes.update(sizes)
                report.gt_shares += [] if share is None else [share]
                report.problems += [] if problem is None else [problem]
                now = time.monotonic()
                if now - shown > INTERVAL or report.checked == len(indices):
                    shown = now
                    left = (now - start) / report.checked * (len(indices) - report.checked)
                    print(
                        f'{report.name}: {report.checked}/{len(indices)} samples, '
                        f'{len(report.problems)} problems, {left:.0f} s left',
                        file=sys.stderr,
                    )
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def verify(name: str, config: dict, official: int | None, args: argparse.Namespace) -> Report:
    """Check the data set of one data loader."""
    report = Report(name, official=official)
    try:
        dataset = DATASETS.build(config)
    except (OSError, ValueError, KeyError) as error:
        report.problems.append(str(error))
        return report
    report.samples = len(dataset)
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
    if not args.no_read:
        try:
            read_all(dataset, report, args)
        except KeyboardInterrupt:
            report.problems.append(f'interrupted after {report.checked} samples')
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Check and print; the exit status."""
    args = parse_args(argv)
    cv2.setNumThreads(1)
    cfg = load_config(args.config, args.cfg_options)
    reports = []
    for name, dataset, official in find_loaders(cfg, args.loaders):
        print(f'{name}: indexing {dataset["data_root"]}', file=sys.stderr)
        reports.append(verify(name, dataset, official, args))
        if reports[-1].problems and reports[-1].problems[-1].startswith('interrupted'):
            break
    if not reports:
        print(f'{args.config} has no data loader out of {tuple(args.loaders)}', file=sys.stderr)
        return 1
    head = [
        'data loader',
        'samples',
        'official',
        'read',
        'image sizes',
        'truth (median)',
        'problems',
    ]
    print(AsciiTable([head, *(report.row() for report in reports)]).table)
    for report in reports:
        for note in report.notes:
            print(f'{report.name}: note: {note}')
        for problem in report.problems[: args.show]:
            print(f'{report.name}: {problem}')
        if len(report.problems) > args.show:
            print(f'{report.name}: ... and {len(report.problems) - args.show} more (see --show)')
    found = sum(len(report.problems) for report in reports)
    print('all is well' if not found else f'{found} problems')
    return int(bool(found))


if __name__ == '__main__':
    sys.exit(main())

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
from collections.abc import Sequence

import cv2
from terminaltables import AsciiTable

from mmscd.datasets.options import choose_positive
from mmscd.datasets.verify import COLUMNS, LOADERS, verify
from mmscd.utils.command_line import add_model, make_parser, run_tool
from mmscd.utils.config import load_config


def run(args: argparse.Namespace) -> int:
    """Check and print; the exit status."""
    cv2.setNumThreads(1)
    for name in ('every', 'workers', 'show'):
        choose_positive(f'--{name}', getattr(args, name))
    every = 0 if args.no_read else args.every
    cfg = load_config(args.config, args.cfg_options)
    reports = verify(cfg, args.loaders, every, not args.headers, args.workers)
    print(AsciiTable([COLUMNS, *(report.row() for report in reports)]).table)
    for report in reports:
        lines = [f'note: {note}' for note in report.notes] + report.problems[: args.show]
        if len(report.problems) > args.show:
            lines.append(f'... and {len(report.problems) - args.show} more (see --show)')
        for line in lines:
            print(f'{report.name}: {line}')
    found = sum(len(report.problems) for report in reports)
    print(f'{found} problems' if found else 'all is well')
    return int(found > 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=None)
    parser.add_argument('--loaders', nargs='+', choices=LOADERS, default=LOADERS)
    parser.add_argument('--every', type=int, default=1, help='read only every n-th sample')
    parser.add_argument('--headers', action='store_true', help='do not decode the images')
    parser.add_argument('--no-read', action='store_true', help='check only what there is')
    parser.add_argument('--workers', type=int, default=4, help='threads')
    parser.add_argument('--show', type=int, default=20, help='problems to print per data loader')
    return run_tool(parser, run, argv)


if __name__ == '__main__':
    sys.exit(main())

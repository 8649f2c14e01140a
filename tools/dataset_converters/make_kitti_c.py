"""Write a KITTI-C: corrupted copies of test images, in the layout of RoboDepth.

    OUT/<corruption>/<severity>/kitti_data/<date>/<drive>/image_02/data/<frame>.png
    OUT/clean/kitti_data/...

Example::

    python tools/dataset_converters/make_kitti_c.py --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --out data/kitti_c

With --sheet a picture of all corruptions of the first image is written, without --out only that.
`test_robustness.py` needs no such copy: it makes the same pixels on the fly. The source is only
read. Files that are there already are kept, so an interrupted run goes on; every image is checked
before the first is written.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.robustness.export import KittiC
from mmscd.utils.command_line import make_parser, output_file, output_folder, parse_size, run_tool
from mmscd.visualization.rendering import save_image


def run(args: argparse.Namespace) -> None:
    """Write the picture, the set, or both."""
    if args.out is None and args.sheet is None:
        raise ValueError('name the new set with --out, or a picture with --sheet')
    passes = args.corruptions, args.severities
    data = KittiC(
        args.data_root, args.split, args.drive, args.size, *passes, args.seed, args.format
    )
    if args.sheet:
        save_image(data.draw_sheet(), args.sheet)
    if args.out:
        print(f'{data.write(args.out, args.workers)} files written to {args.out}')


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--split', help='split file with lines `date/drive frame side`')
    source.add_argument('--drive', action='append', help='all frames of date/drive; repeatable')
    parser.add_argument('--data-root', required=True, help='KITTI raw: holds the date folders')
    parser.add_argument('--out', type=output_folder, help='folder of the new set')
    parser.add_argument(
        '--size',
        type=lambda text: None if text == 'native' else parse_size(text.lower()),
        default=(640, 192),
        help='images are shrunk to it, then corrupted (default 640x192); `native`: not shrunk',
    )
    parser.add_argument('--corruptions', nargs='+', choices=CORRUPTIONS, default=CORRUPTIONS)
    parser.add_argument('--severities', nargs='+', type=int, choices=SEVERITIES, default=SEVERITIES)
    parser.add_argument('--seed', type=int, default=42)
    parser.add_argument('--format', choices=('png', 'jpg'), default='png')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--sheet', type=output_file, help='picture of all corruptions (.png, .jpg)')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

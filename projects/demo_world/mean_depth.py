"""Computes the mean depth map of the training streets; render.py does this by itself.

Example:
    python projects/demo_world/mean_depth.py --data data/demo_world
"""

from __future__ import annotations

import argparse
from pathlib import Path

from demo_world.mean_depth import MEAN_DEPTH, write_mean_depth

from mmscd.utils.command_line import make_parser, output_file, run_tool


def run(args: argparse.Namespace) -> None:
    """Computes and writes."""
    out = args.out or args.data / MEAN_DEPTH
    depth = write_mean_depth(args.data, out)
    height, width = depth.shape
    print(f'{out}: {width}x{height}, {depth.min():.1f} to {depth.max():.1f} m')


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/demo_world'), help='the set')
    parser.add_argument('--out', type=output_file, help=f'.npy file (default DATA/{MEAN_DEPTH})')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

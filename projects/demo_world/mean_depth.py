"""Computes the mean depth map of the training streets; render.py does this by itself.

Example:
    python projects/demo_world/mean_depth.py --data data/demo_world
"""

from __future__ import annotations

import argparse
from pathlib import Path

from demo_world.mean_depth import MEAN_DEPTH, write_mean_depth


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/demo_world'), help='the set')
    parser.add_argument('--out', type=Path, help=f'.npy file (default DATA/{MEAN_DEPTH})')
    args = parser.parse_args(argv)
    out = args.out or args.data / MEAN_DEPTH
    try:
        depth = write_mean_depth(args.data, out)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    height, width = depth.shape
    print(f'{out}: {width}x{height}, {depth.min():.1f} to {depth.max():.1f} m')


if __name__ == '__main__':
    main()

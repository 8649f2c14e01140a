"""Bring the official split files of KITTI raw to data/splits/kitti, with checksums.

    python tools/dataset_converters/prepare_kitti_splits.py
    python tools/dataset_converters/prepare_kitti_splits.py --source DIR_WITH_SPLITS

The lists of D. Eigen et al. (NIPS 2014) and T. Zhou et al. (CVPR 2017), as the monodepth2
repository distributes them. What is already right is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmscd.datasets.preparation.splits import URL, prepare_splits
from mmscd.utils.command_line import make_parser, output_folder, run_tool


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = make_parser(__doc__)
    parser.add_argument('--out', type=output_folder, default='data/splits/kitti', help='where to')
    parser.add_argument('--source', type=Path, help='folder that has the files already')
    parser.add_argument('--url', default=URL, help='base address (https:// or file://)')
    report = run_tool(parser, lambda args: prepare_splits(args.out, args.source, args.url), argv)
    print('\n'.join(report))


if __name__ == '__main__':
    main()

"""Make a file to hand out of a training checkpoint: the weights that inference needs, no more.

Example: python tools/misc/publish_model.py work_dirs/NAME/iter_N.pth models/scd_r18_kitti.pth

Optimizer, schedulers, logs, the averaging's second set of weights, teacher settings and the
distillation's graph go. A short hash of the content becomes part of the name.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.command_line import make_parser, output_file, run_tool


def run(args: argparse.Namespace) -> None:
    """Publish."""
    from mmscd.deployment.publishing import publish

    print(publish(**vars(args)))


def main(argv: Sequence[str] | None = None) -> None:
    """Publish."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('source', metavar='checkpoint', type=Path, help='of a training')
    add('out', type=output_file, help='NAME.pth; written as NAME-<hash>.pth')
    add('--no-pose', action='store_false', dest='pose', help='no pose net: single images only')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

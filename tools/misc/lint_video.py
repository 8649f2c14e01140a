"""Check frames of an own camera before training: static, dark, rolling, wrong focal length.

Example: python tools/misc/lint_video.py data/my_streets/frames \
    --intrinsics data/my_streets/intrinsics.yaml

ROOT is what `FolderDepthDataset` takes: a folder of frames, of folders of frames, or a video file.
A sample of the frames is looked at; nothing is written. Exits with 1 where something serious is
found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.utils.command_line import make_parser, run_tool


def run(args: argparse.Namespace) -> int:
    """Look and tell; returns the exit status."""
    from mmscd.video.lint import describe_findings, lint_folder

    frames, findings = lint_folder(args.root, args.intrinsics, args.stride, args.pairs)
    print(f'{frames}\n{describe_findings(findings)}')
    return int(any(finding.serious for finding in findings))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('root', help='folder of frames or of folders of frames, or a video file')
    parser.add_argument('--intrinsics', default='intrinsics.yaml', help='yaml; also below ROOT')
    parser.add_argument('--stride', type=int, default=1, help='every n-th frame')
    parser.add_argument('--pairs', type=int, default=80, help='so many pairs are looked at')
    return run_tool(parser, run, argv)


if __name__ == '__main__':
    raise SystemExit(main())

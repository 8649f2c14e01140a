"""Depth of images.

Example: python demo/image_demo.py street.jpg --model monodepth2_r18_kitti --weights iter_66340.pth

Takes images, folders and patterns ("drive/*.png", in quotes). What cannot be read is named and
skipped; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys

from command_line import add_options, build_inferencer, output_options

from mmscd.utils.command_line import make_parser, run_tool


def run(args: argparse.Namespace) -> int:
    """Predict, write, and say where things are; returns the exit code."""
    inferencer = build_inferencer(args)
    failures: list[tuple[str, str]] = []
    results = inferencer.stream(
        args.inputs, on_error='skip', failures=failures, **output_options(args)
    )
    done = 0
    for result in results:
        done += 1
        last = result
    if done == 1:
        print('\n'.join(last['files'].values()))
    elif done:
        print(f'{done} inputs: {", ".join(args.save)} in {args.out_dir}')
    if failures:
        print(f'{len(failures)} inputs failed:', file=sys.stderr)
    for _, reason in failures:
        print(f'  {reason}', file=sys.stderr)
    return 1 if failures or not done else 0


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('inputs', nargs='+', help='images, folders, patterns')
    add_options(parser, 'color', 'depth_results')
    return run_tool(parser, run)


if __name__ == '__main__':
    sys.exit(main())

"""Renders the demo driving videos. Needs only numpy and OpenCV.

Example:
    python projects/demo_world/render.py --out data/demo_world
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from demo_world import writer
from demo_world.dataset import render_set
from demo_world.preview import contact_sheet
from demo_world.writer import Params


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError as error:
        raise argparse.ArgumentTypeError('expected WIDTHxHEIGHT, such as 416x128') from error
    if width < 16 or height < 16:
        raise argparse.ArgumentTypeError('both sides must be at least 16 pixels')
    return width, height


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    default = Params()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('data/demo_world'), help='output folder')
    parser.add_argument(
        '--size',
        type=_size,
        default=(default.width, default.height),
        metavar='WxH',
        help='image size (default 416x128)',
    )
    parser.add_argument('--train-scenes', type=int, default=default.train_scenes)
    parser.add_argument(
        '--frames', type=int, default=default.frames, help='frames per training scene'
    )
    parser.add_argument(
        '--eval-scenes',
        type=int,
        default=default.eval_scenes,
        help='number of validation scenes, and of test scenes',
    )
    parser.add_argument(
        '--eval-frames',
        type=int,
        default=default.eval_frames,
        help='frames per validation and test scene',
    )
    parser.add_argument('--seed', type=int, default=default.seed)
    parser.add_argument('--workers', type=int, default=2, help='worker processes')
    parser.add_argument('--stereo', action='store_true', help='render the right camera too')
    parser.add_argument(
        '--preview', type=Path, metavar='SHEET.png', help='also write a contact sheet'
    )
    args = parser.parse_args(argv)
    if min(args.frames, args.eval_frames) < 3 or min(args.train_scenes, args.eval_scenes) < 1:
        parser.error('need at least 3 frames per scene and 1 scene of each kind')
    return args


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    width, height = args.size
    counts = ('seed', 'train_scenes', 'frames', 'eval_scenes', 'eval_frames', 'stereo')
    params = Params(width, height, **{name: getattr(args, name) for name in counts})
    begin = time.monotonic()
    try:
        count = render_set(args.out, params, args.workers)
    except FileExistsError as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        raise SystemExit('interrupted; the same command goes on from here') from None
    if count:
        print(f'{count} frames written to {args.out} in {time.monotonic() - begin:.0f} s')
    else:
        print(f'{args.out} is already complete')
    if args.preview:
        writer.write_image(args.preview, contact_sheet(args.out, params))


if __name__ == '__main__':
    main()

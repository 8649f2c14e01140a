"""Renders the demo driving videos. Needs no PyTorch.

Examples:
    python projects/demo_world/render.py --out data/demo_world
    python projects/demo_world/render.py --preset lab
"""

from __future__ import annotations

import argparse
import time

from demo_world import writer
from demo_world.dataset import render_set
from demo_world.preview import contact_sheet
from demo_world.shift_set import draw_shifts
from demo_world.writer import Params

from mmscd.utils.command_line import (
    make_parser,
    output_file,
    output_folder,
    parse_size,
    run_tool,
)

# Many short streets: images of one street resemble each other. Test streets have one judged image
# each, so that an interval over images is one over streets.
LAB = Params(
    width=384,
    height=128,
    train_scenes=320,
    frames=7,
    eval_scenes=48,
    eval_frames=3,
    test_scenes=128,
)


def build_parser(default: Params) -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(__doc__)
    parser.add_argument(
        '--preset', choices=('demo', 'lab'), default='demo', help='whose sizes are the defaults'
    )
    parser.add_argument(
        '--out',
        type=output_folder,
        default='data/demo_lab' if default is LAB else 'data/demo_world',
        help='output folder (default %(default)s)',
    )
    parser.add_argument(
        '--size',
        type=parse_size,
        default=(default.width, default.height),
        metavar='WxH',
        help=f'image size (default {default.width}x{default.height})',
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
        '--test-scenes', type=int, default=default.test_scenes, help='where it differs'
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
        '--shifts',
        action='store_true',
        default=default is LAB,
        help='draw the test scenes in fog, at night, in rain and with motion blur too',
    )
    parser.add_argument(
        '--preview', type=output_file, metavar='SHEET.png', help='also write a contact sheet'
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Renders what is missing."""
    if min(args.frames, args.eval_frames) < 3 or min(args.train_scenes, args.eval_scenes) < 1:
        raise ValueError('a set needs at least 3 frames per scene and 1 scene of each kind')
    width, height = args.size
    if min(args.size) < 16:
        raise ValueError(f'--size: both sides must be at least 16 pixels, got {width}x{height}')
    if args.test_scenes is not None and args.test_scenes < 1:
        raise ValueError(f'--test-scenes must be at least 1, got {args.test_scenes}')
    counts = ('seed', 'train_scenes', 'frames', 'eval_scenes', 'eval_frames', 'stereo')
    counts = (*counts, 'test_scenes')
    params = Params(width, height, **{name: getattr(args, name) for name in counts})
    begin = time.monotonic()
    count = render_set(args.out, params, args.workers)
    if count:
        print(f'{count} frames written to {args.out} in {time.monotonic() - begin:.0f} s')
    else:
        print(f'{args.out} is already complete')
    if args.shifts:
        begin = time.monotonic()
        drawn = draw_shifts(args.out, params, args.workers, _show_shifts)
        print(f'{drawn} shifted images written in {time.monotonic() - begin:.0f} s')
    if args.preview:
        writer.write_image(args.preview, contact_sheet(args.out, params))


def _show_shifts(done: int, total: int) -> None:
    if done == total or done % 16 == 0:
        print(f'shifted {done}/{total} test scenes', flush=True)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line; one that was interrupted goes on with the same command."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument('--preset')
    preset = first.parse_known_args(argv)[0].preset
    run_tool(build_parser(LAB if preset == 'lab' else Params()), run, argv)


if __name__ == '__main__':
    main()

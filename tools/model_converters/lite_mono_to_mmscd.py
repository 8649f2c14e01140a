"""Make a checkpoint and a config of mmscd of Lite-Mono's weights.

Example: python tools/model_converters/lite_mono_to_mmscd.py lite-mono_640x192 models/lite-mono.pth

The folder holds encoder.pth and depth.pth, and pose_encoder.pth and pose.pth where there is a pose
net. OUT.pth and OUT.py are written. Says what became of every parameter and refuses what it cannot
map. Dilations are no part of the weights: they follow from the size in encoder.pth (640x192 or
1024x320). The weights keep the licence they came with.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of `640x192`."""
    try:
        width, height = (int(side) for side in text.split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'size must look like 640x192, got {text!r}') from None
    return width, height


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='with encoder.pth, depth.pth, ...')
    parser.add_argument('out', type=Path, help='OUT.pth; OUT.py is written beside it')
    parser.add_argument('--no-pose', action='store_true', help='leave out the pose net')
    parser.add_argument(
        '--size', type=parse_size, help='input size; default: what encoder.pth says, or 640x192'
    )
    parser.add_argument('--min-depth', type=float, default=0.1, help='option of that training')
    parser.add_argument('--max-depth', type=float, default=100.0, help='option of that training')
    parser.add_argument('--verbose', action='store_true', help='a line for every parameter')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Convert; raises where nothing was written."""
    from mmscd.converters import convert_lite_mono, lite_mono_config, write_converted

    if not args.folder.is_dir():
        raise FileNotFoundError(f'there is no folder {args.folder}')
    weights = convert_lite_mono(args.folder, not args.no_pose)
    name = args.folder.resolve().name
    text = lite_mono_config(weights, name, args.size, (args.min_depth, args.max_depth))
    meta = dict(
        converted_from='lite-mono', source=name, stereo=weights.stereo,
        depth_scale=5.4 if weights.stereo else None,
    )  # fmt: skip
    written = write_converted(args.out, weights.keys.weights, meta, text)
    print(weights.keys.describe(args.verbose))
    kind = 'stereo (metric after x 5.4)' if weights.stereo else 'monocular'
    pose = f'pose net ResNet-{weights.pose_depth}' if weights.pose_depth else 'no pose net'
    print(f'Lite-Mono {weights.channels}, {kind}, {pose}; the config loads all of it')
    print('wrote ' + ' and '.join(map(str, written)))


def main(argv: Sequence[str] | None = None) -> None:
    """Convert; exit code 1 and the reason where it cannot be done."""
    args = parse_args(argv)
    try:
        run(args)
    except (ValueError, OSError, RuntimeError) as error:
        raise SystemExit(f'lite_mono_to_mmscd: {error}') from error


if __name__ == '__main__':
    main()

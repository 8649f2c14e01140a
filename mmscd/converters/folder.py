"""A folder in Monodepth2's layout, from its files to checkpoint, config and a report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from mmscd.utils.command_line import parse_size

from .lite_mono import LiteMonoWeights
from .monodepth2 import STEREO_SCALE, Monodepth2Weights
from .writing import write_converted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `convert_folder` needs to be told on a command line."""
    parser.add_argument('folder', type=Path, help='with encoder.pth, depth.pth, ...')
    parser.add_argument('out', type=Path, help='OUT.pth; OUT.py is written beside it')
    parser.add_argument('--no-pose', action='store_true', help='leave out the pose net')
    parser.add_argument(
        '--size', type=parse_size, help='input size; default: what encoder.pth says, or 640x192'
    )
    parser.add_argument('--min-depth', type=float, default=0.1, help='option of that training')
    parser.add_argument('--max-depth', type=float, default=100.0, help='option of that training')
    parser.add_argument('--verbose', action='store_true', help='a line for every parameter')


def convert_folder(
    args: argparse.Namespace,
    project: str,
    convert: Callable[[Path, bool], Monodepth2Weights | LiteMonoWeights],
    make_config: Callable[..., str],
) -> tuple[Monodepth2Weights | LiteMonoWeights, list[str]]:
    """Convert and write.

    Args:
        args: of `add_arguments`.
        project: whose weights they are, for the checkpoint's meta.
        convert: folder and whether to take the pose net -> weights.
        make_config: weights, name, size and depth range -> text of the config.

    Returns:
        The weights; lines that say what became of every parameter, what they are trained on, and
        what was written.

    Raises:
        FileNotFoundError, RuntimeError, ValueError: nothing was written, and why.
    """
    if not args.folder.is_dir():
        raise FileNotFoundError(f'there is no folder {args.folder}')
    weights = convert(args.folder, not args.no_pose)
    name = args.folder.resolve().name
    text = make_config(weights, name, args.size, (args.min_depth, args.max_depth))
    scale = STEREO_SCALE if weights.stereo else None
    meta = dict(converted_from=project, source=name, stereo=weights.stereo, depth_scale=scale)
    written = write_converted(args.out, weights.keys.weights, meta, text)
    kind = f'stereo (metric after x {STEREO_SCALE})' if weights.stereo else 'monocular'
    pose = f'pose net ResNet-{weights.pose_depth}' if weights.pose_depth else 'no pose net'
    return weights, [
        weights.keys.describe(args.verbose),
        f'{kind}, {pose}; the config loads all of it',
        'wrote ' + ' and '.join(map(str, written)),
    ]

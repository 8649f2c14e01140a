"""What the demos' command lines share."""

from __future__ import annotations

import argparse
from typing import Any

from mmscd.utils.command_line import add_precision, output_folder


def add_options(parser: argparse.ArgumentParser, save: str, out_dir: str) -> None:
    """Options of the model, of scale and camera, and of the outputs.

    Args:
        parser: gets them.
        save: kind of output by default.
        out_dir: likewise its folder.
    """
    parser.add_argument('--model', required=True, help='path or name of a config')
    parser.add_argument('--weights', required=True, help='checkpoint: path or URL')
    parser.add_argument(
        '--out-dir', type=output_folder, default=out_dir, help=f'default: {out_dir}'
    )
    parser.add_argument(
        '--save',
        nargs='+',
        default=[save],
        help='color, beside, kitti_png (uint16, depth x 256), npy, ply, video; default: ' + save,
    )
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the best there is')
    add_precision(parser, 'auto')
    parser.add_argument('--flip', action='store_true', help='average with the mirrored image')
    parser.add_argument('--batch-size', type=int, default=4)
    metres = parser.add_mutually_exclusive_group()
    metres.add_argument('--scale', type=float, help='metres per unit of depth')
    metres.add_argument(
        '--camera-height', type=float, help='metres over the road; needs --intrinsics'
    )
    parser.add_argument(
        '--intrinsics', help='yaml with fx, fy, cx, cy, width, height, or with hfov_deg'
    )
    parser.add_argument(
        '--scale-intrinsics', action='store_true', help='the images are plain resizes of those'
    )
    parser.add_argument(
        '--colormap',
        default='magma',
        help='magma, inferno, plasma, viridis, cividis or turbo; default: magma',
    )
    parser.add_argument(
        '--limits', nargs=2, type=float, metavar=('NEAR', 'FAR'), help='depths the colours span'
    )
    parser.add_argument('--layout', default='auto', help='auto, horizontal or vertical')


def build_inferencer(args: argparse.Namespace) -> Any:
    """A `DepthInferencer` from the options."""
    from mmscd import DepthInferencer

    scale = args.scale
    if args.camera_height is not None:
        scale = dict(type='camera_height', height=args.camera_height)
    return DepthInferencer(
        args.model,
        args.weights,
        args.device,
        args.precision,
        scale,
        args.flip,
        args.intrinsics,
        args.scale_intrinsics,
        args.batch_size,
    )


def output_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `DepthInferencer.stream` that all demos have."""
    limits = tuple(args.limits) if args.limits else None
    return dict(
        out_dir=args.out_dir,
        save=args.save,
        colormap=args.colormap,
        depth_limits=limits,
        layout=args.layout,
    )

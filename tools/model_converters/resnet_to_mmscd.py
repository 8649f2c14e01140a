"""Make ImageNet weights for mmscd's ResNetEncoder of torchvision's or timm's.

Example: python tools/model_converters/resnet_to_mmscd.py resnet18.a1_in1k.safetensors r18.pth
         RESNET18_WEIGHTS=r18.pth python tools/train.py CONFIG

Takes .pth, .pt, .bin and .safetensors files of the plain ResNet-18, -34 and -50; relatives (deep
stem, SE, ResNeXt, wide, ...) are refused. torchvision's files also load without conversion. One
relative has the same parameters as a ResNet and cannot be told from it: timm's `resnetblur50`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('weights', type=Path)
    parser.add_argument('out', type=Path, help='.pth')
    parser.add_argument('--verbose', action='store_true', help='a line for every parameter')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Convert; raises where nothing was written."""
    from mmscd.converters import convert_resnet, read_weights, write_converted

    state, _ = read_weights(args.weights)
    keys, depth = convert_resnet(state, args.weights.name)
    meta = dict(converted_from='torchvision or timm', source=args.weights.name, depth=depth)
    write_converted(args.out, keys.weights, meta)
    print(keys.describe(args.verbose))
    print(f'ResNet-{depth}; wrote {args.out}')
    print(f"use: backbone=dict(type='ResNetEncoder', depth={depth}, "
          f"init_cfg=dict(type='Pretrained', checkpoint='{args.out}'))")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Convert; exit code 1 and the reason where it cannot be done."""
    args = parse_args(argv)
    try:
        run(args)
    except (ValueError, OSError, RuntimeError) as error:
        raise SystemExit(f'resnet_to_mmscd: {error}') from error


if __name__ == '__main__':
    main()

"""Make a checkpoint and a config of mmscd of Monodepth2's, Lite-Mono's or a ResNet's weights.

Example: python tools/model_converters/to_mmscd.py mono_640x192 models/mono_640x192.pth
         python tools/model_converters/to_mmscd.py resnet18.a1_in1k.safetensors models/r18.pth

SOURCE is a folder with encoder.pth and depth.pth, and pose_encoder.pth and pose.pth where there is
a pose net: of Monodepth2, of a fork, or of Lite-Mono. OUT.pth and OUT.py are written;
`tools/test.py OUT.py OUT.pth` tests them. Or it is a file of ImageNet weights of a plain ResNet-18,
-34 or -50 (torchvision's, which also load as they are, or timm's), for `RESNET18_WEIGHTS=OUT.pth`;
relatives with the same parameters, such as timm's `resnetblur50`, cannot be told from it. Says what
became of every parameter and refuses what it cannot map. The weights keep the licence they came
with (Monodepth2's: non-commercial use).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.command_line import make_parser, output_file, parse_size, run_tool


def run(args: argparse.Namespace) -> None:
    """Convert."""
    from mmscd.converters import convert

    print(convert(**vars(args)))


def main(argv: Sequence[str] | None = None) -> None:
    """Convert; exit code 1 and the reason where it cannot be done."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('source', type=Path, help='folder, or file of a ResNet')
    add('out', type=output_file, help='OUT.pth')
    add('--verbose', action='store_true', dest='every', help='a line for every parameter')
    add = parser.add_argument_group('of a folder').add_argument
    add('--no-pose', action='store_false', dest='pose', help='leave out the pose net')
    add('--size', type=parse_size, help='of the input; default: what encoder.pth says, or 640x192')
    pairs = parser.add_mutually_exclusive_group()
    pairs.add_argument(
        '--stereo', action='store_true', default=None, help='a folder: learnt from stereo pairs'
    )
    pairs.add_argument(
        '--mono', action='store_false', dest='stereo', default=None, help='a folder: it did not'
    )
    add('--min-depth', type=float, default=0.1, help='option of that training')
    add('--max-depth', type=float, default=100.0, help='option of that training')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

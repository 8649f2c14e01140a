"""Make a checkpoint and a config of mmscd of Monodepth2's weights, or of a fork's.

Example: python tools/model_converters/monodepth2_to_mmscd.py mono_640x192 models/mono_640x192.pth

The folder holds encoder.pth and depth.pth, and pose_encoder.pth and pose.pth where there is a pose
net. OUT.pth and OUT.py are written; `tools/test.py OUT.py OUT.pth` tests them. Says what became of
every parameter and refuses what it cannot map. The weights keep the licence they came with
(Monodepth2's: non-commercial use).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.converters import add_arguments, convert_folder, convert_monodepth2, monodepth2_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert; exit code 1 and the reason where it cannot be done."""
    args = parse_args(argv)
    try:
        weights, report = convert_folder(args, 'monodepth2', convert_monodepth2, monodepth2_config)
    except (ValueError, OSError, RuntimeError) as error:
        raise SystemExit(f'monodepth2_to_mmscd: {error}') from error
    keys, kind, written = report
    print(f'{keys}\nResNet-{weights.depth}, {kind}\n{written}')


if __name__ == '__main__':
    main()

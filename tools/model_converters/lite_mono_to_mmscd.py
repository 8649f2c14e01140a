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

from mmscd.converters import add_arguments, convert_folder, convert_lite_mono, lite_mono_config


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
        weights, report = convert_folder(args, 'lite-mono', convert_lite_mono, lite_mono_config)
    except (ValueError, OSError, RuntimeError) as error:
        raise SystemExit(f'lite_mono_to_mmscd: {error}') from error
    keys, kind, written = report
    print(f'{keys}\nLite-Mono {weights.channels}, {kind}\n{written}')


if __name__ == '__main__':
    main()

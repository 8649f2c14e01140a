"""Print a config with everything that it inherits.

Example: python tools/misc/print_config.py configs/scd/scd_r18_kitti.py --key model.distiller
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.utils.command_line import add_model, make_parser, output_file, run_tool
from mmscd.utils.config import load_config, select
from mmscd.utils.files import atomic_write


def run(args: argparse.Namespace) -> None:
    """Print."""
    from mmengine.config import Config

    if args.out and args.out.suffix != '.py':
        raise ValueError(f'--out must end in .py, got {args.out}')
    cfg = load_config(args.config, args.cfg_options)
    if args.key:
        cfg = Config({args.key.split('.')[-1]: select(cfg, args.key)})
    print(cfg.pretty_text)
    if args.out:
        atomic_write(args.out, cfg.pretty_text.encode())


def main(argv: Sequence[str] | None = None) -> None:
    """Print."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=None)
    parser.add_argument('--key', help='only this part, e.g. model.losses')
    parser.add_argument('--out', type=output_file, help='also write it to this .py file')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

"""Evaluate a checkpoint.

Example: python tools/test.py configs/monodepth2/monodepth2_r18_kitti.py work_dirs/.../iter_N.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.utils.command_line import (
    add_launcher,
    add_model,
    add_precision,
    make_parser,
    output_file,
    output_folder,
    run_tool,
)
from mmscd.utils.config import load_config


def run(args: argparse.Namespace) -> None:
    """Evaluate; writes nothing where the weights do not fit."""
    from mmengine.dist import is_main_process

    from mmscd.engine import launch
    from mmscd.models.precision import EXACT, use_precision
    from mmscd.utils.files import write_json

    cfg = load_config(args.config, args.cfg_options)
    cfg.work_dir = launch.default_work_dir(cfg, args.config, args.work_dir)
    if args.tta:
        cfg.model.flip_tta = True
    if args.show_dir:
        launch.draw_to(cfg, args.show_dir)
    network = launch.load_for_test(cfg, args.checkpoint)
    use_precision(network, args.precision, EXACT)
    metrics = launch.build_runner(cfg, args.launcher, network).test()
    if args.out and is_main_process():
        write_json(args.out, {key: float(value) for key, value in metrics.items()})


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate."""
    parser = make_parser(__doc__)
    add_model(parser)
    parser.add_argument('--work-dir', type=output_folder, help='where the log goes')
    parser.add_argument(
        '--show-dir', type=output_folder, help='write a picture of every image here'
    )
    parser.add_argument('--out', type=output_file, help='write the metrics to this json file')
    parser.add_argument(
        '--tta', action='store_true', help='average with the prediction for the mirrored image'
    )
    add_precision(parser)
    add_launcher(parser)
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

"""Evaluate a checkpoint.

Example: python tools/test.py configs/monodepth2/monodepth2_r18_kitti.py work_dirs/.../iter_N.pth
"""

import argparse
import os
from pathlib import Path

from mmscd.utils.config import load_config


def parse_args() -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description='Evaluate a checkpoint.')
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', help='path or URL')
    parser.add_argument('--work-dir', help='where the log goes')
    parser.add_argument('--show-dir', help='write a picture of every image here')
    parser.add_argument('--out', help='write the metrics to this json file')
    parser.add_argument(
        '--tta', action='store_true', help='average with the prediction for the mirrored image'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Evaluate."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config, args.cfg_options)

    from mmengine.dist import is_main_process

    from mmscd.engine import launch
    from mmscd.models import loading
    from mmscd.utils.command_line import check_writable
    from mmscd.utils.files import write_json

    for folder in (args.out and Path(args.out).parent, args.show_dir):
        if folder and is_main_process():
            check_writable(folder)  # before the work, not after it
    cfg.work_dir = launch.default_work_dir(cfg, args.config, args.work_dir)
    cfg.load_from = args.checkpoint
    if args.tta:
        cfg.model.flip_tta = True
    if args.show_dir:
        cfg.default_hooks.visualization.show_dir = args.show_dir
    loading.prepare_for_inference(cfg)
    metrics = launch.build_runner(cfg, args.launcher).test()
    if args.out and is_main_process():
        write_json(args.out, {key: float(value) for key, value in metrics.items()})


if __name__ == '__main__':
    main()

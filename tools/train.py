"""Train a model.

Example: python tools/train.py configs/monodepth2/monodepth2_r18_kitti.py --resume auto
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from mmscd.utils.command_line import (
    add_launcher,
    add_model,
    make_parser,
    parse_duration,
    run_tool,
)
from mmscd.utils.config import load_config, merge_options


def make_arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=None)
    parser.add_argument('--work-dir', help='where checkpoints, logs and pictures go')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='a checkpoint, or auto (also when no value is given): the newest of the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale learning rate and length of the schedule to the total batch size',
    )
    parser.add_argument('--no-validate', action='store_true', help='no validation while training')
    parser.add_argument(
        '--teacher',
        help='another semantic teacher: a file of configs/teachers, or mmseg::...',
    )
    parser.add_argument(
        '--time-limit',
        type=parse_duration,
        help='end with a checkpoint and status 124 before 3h50m, 230 (minutes) or 3:50:00 are over',
    )
    add_launcher(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Train; SIGTERM, Ctrl-C and the time limit end it with a checkpoint."""
    begin = time.monotonic()
    cfg = load_config(args.config)

    from mmscd.engine import StopHook, launch
    from mmscd.models.teachers.teacher_option import set_teacher

    options = args.cfg_options or {}
    if args.teacher:
        set_teacher(cfg, args.teacher, options.get('model.distiller.teacher.checkpoint'))
    if args.amp:
        launch.set_amp(cfg, options.get('model.cuda_graph'))
    merge_options(cfg, options)  # after what other options set: they have the last word
    cfg.work_dir = launch.default_work_dir(cfg, args.config, args.work_dir)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.save_best = None
    launch.check_batch(cfg, args.launcher, args.auto_scale_lr)
    with launch.hold_work_dir(cfg, args.launcher):
        launch.resolve_resume(cfg, args.resume)
        runner = launch.build_runner(cfg, args.launcher)
        stop = StopHook(args.time_limit, begin)
        runner.register_hook(stop)
        with stop.listening():
            runner.train()


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    run_tool(make_arguments(), run, argv)


if __name__ == '__main__':
    main()

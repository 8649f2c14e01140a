"""What training costs, side by side in one run. Nothing is written, nothing depends on the times.

Examples::

    # steps of several configs on a fixed batch, every part at full strength
    python tools/analysis_tools/benchmark_step.py configs/monodepth2/monodepth2_r18_kitti-mini.py \
        configs/scd/scd_r18_kitti-mini.py --amp
    # the same against a step in the usual form, and how many operations each is
    python tools/analysis_tools/benchmark_step.py configs/scd/scd_r18_kitti-mini.py --reference \
        --count
    # forward and backward of the photometric loss in the usual form and in ours
    python tools/analysis_tools/benchmark_step.py --part loss --size 640x192 --batch 4
    # samples per second that the dataloader of a config delivers
    python tools/analysis_tools/benchmark_step.py CONFIG --part loader
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from mmscd.engine import benchmark
from mmscd.utils.command_line import make_parser, parse_size, run_tool
from mmscd.utils.config import load_config


def make_arguments() -> argparse.ArgumentParser:
    """The command line."""
    from mmscd.utils.option_action import OptionAction

    parser = make_parser(__doc__)
    parser.add_argument('configs', nargs='*', help='paths, or package::path')
    parser.add_argument('--part', choices=('step', 'loss', 'loader'), default='step')
    parser.add_argument('--steps', type=int, default=20, help='timed turns of each (default 20)')
    parser.add_argument('--warm-up', type=int, default=3, help='turns before (default 3)')
    parser.add_argument('--amp', action='store_true', help='mixed precision, of steps')
    parser.add_argument(
        '--reference',
        action='store_true',
        help="first a step of the first config's networks with the loss of the usual form, in "
        'float32, with a plain Adam',
    )
    parser.add_argument('--count', action='store_true', help='operations of a turn, on the CPU')
    parser.add_argument('--size', type=parse_size, default=(640, 192), help='of the loss')
    parser.add_argument('--batch', type=int, default=4, help='of the loss')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='of all configs')
    return parser


def run(args: argparse.Namespace) -> None:
    """Time and print."""
    if args.steps < 1 or args.warm_up < 0:
        raise ValueError('--steps must be at least 1, --warm-up not negative')
    if args.count and torch.cuda.is_available():
        raise ValueError('--count works on a CPU: hide the GPU by CUDA_VISIBLE_DEVICES=')
    if not args.configs and args.part != 'loss':
        raise ValueError(f'--part {args.part} needs at least one config')
    configs = {name: load_config(name, args.cfg_options) for name in args.configs}
    samples = args.batch
    if configs:
        samples = next(iter(configs.values())).train_dataloader.batch_size
    with tempfile.TemporaryDirectory(prefix='mmscd_step_') as folder:
        if args.part == 'step':
            sides = {}
            if args.reference:
                first = next(iter(configs.values()))
                sides['reference'] = benchmark.reference_step(
                    first, str(Path(folder) / 'reference')
                )
            for number, (name, cfg) in enumerate(configs.items()):
                work_dir = str(Path(folder) / str(number))
                sides[name] = benchmark.training_step(cfg, work_dir, args.amp)
        elif args.part == 'loader':
            sides = {name: benchmark.loading_side(cfg) for name, cfg in configs.items()}
        else:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
            sides = benchmark.loss_sides(args.size, args.batch, device=device, dtype=torch.float32)
        times = benchmark.take_turns(sides, args.steps, args.warm_up)
        counts = None
        if args.count:
            counts = {n: benchmark.count_operations(side).total() for n, side in sides.items()}
    print(benchmark.make_table(times, samples, counts))


def main(argv: Sequence[str] | None = None) -> None:
    """Time and print."""
    run_tool(make_arguments(), run, argv)


if __name__ == '__main__':
    main()

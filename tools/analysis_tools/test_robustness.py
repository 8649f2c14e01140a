"""The corruption benchmark (KITTI-C) in one command: nothing to download, seeded, resumable.

Examples::

    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --out work_dirs/robustness
    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --name scd \
        --compare base=configs/monodepth2/monodepth2_r18_kitti.py,base.pth --baseline base
    torchrun --nproc-per-node 4 tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT \
        --launcher pytorch

Each image is decoded once; 18 corruptions x 5 severities and the clean images run through the
network. Every finished pass is kept in OUT: the same command goes on where it was interrupted.
Metrics and data are those of the config's test_evaluator and test_dataloader.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmscd.robustness.benchmark import run_benchmark
from mmscd.robustness.contestants import RobustnessOptions
from mmscd.utils.command_line import add_launcher, add_model, make_parser, parse_model, run_tool


def run(args: argparse.Namespace) -> None:
    """Run the benchmark."""
    options = RobustnessOptions(
        args.corruptions,
        args.severities,
        args.protocol,
        args.seed,
        args.baseline,
        args.kitti_c,
        args.batch_size,
        args.workers,
        args.memory_gb,
    )
    stem = Path(args.config).stem
    models = [(args.name or stem, args.config, args.checkpoint), *args.compare]
    out = args.out or Path('work_dirs') / 'robustness' / stem
    report = partial(print, flush=True)
    run_benchmark(models, options, out, args.cfg_options, args.launcher, report)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    default = RobustnessOptions()
    parser = make_parser(__doc__)
    add_model(parser)
    parser.add_argument('--name', help="the model's name; default: that of the config")
    parser.add_argument(
        '--compare',
        action='append',
        default=[],
        type=parse_model,
        metavar='NAME=CONFIG,CHECKPOINT',
        help='a further model for the same table; may be repeated',
    )
    parser.add_argument(
        '--baseline',
        default=default.baseline,
        help="whose DEE are CE's 100 %%: the name of a model, or %(default)s (default)",
    )
    parser.add_argument('--corruptions', nargs='+', default=default.corruptions, metavar='NAME')
    parser.add_argument('--severities', nargs='+', type=int, default=default.severities)
    parser.add_argument(
        '--protocol',
        choices=('robodepth', 'native'),
        default=default.protocol,
        help='corrupt after the resize to the input size of the network, or before',
    )
    parser.add_argument('--kitti-c', metavar='DIR', help='read the corrupted images from here')
    parser.add_argument('--seed', type=int, default=default.seed)
    parser.add_argument(
        '--out', type=Path, help='default: work_dirs/robustness/<name of the config>'
    )
    parser.add_argument('--batch-size', type=int, default=default.batch_size)
    parser.add_argument(
        '--workers', type=int, default=default.workers, help='processes that corrupt'
    )
    parser.add_argument(
        '--memory-gb', type=float, default=default.memory_gb, help='for decoded images'
    )
    add_launcher(parser)
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

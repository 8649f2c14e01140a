"""The corruption benchmark (KITTI-C) in one command: nothing to download, seeded, resumable.

Examples::

    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --out work_dirs/robustness
    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --name scd \
        --compare base=configs/monodepth2/monodepth2_r18_kitti.py,base.pth --baseline base
    torchrun --nproc-per-node 4 tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT \
        --launcher pytorch

Each image is decoded once; 18 corruptions x 5 severities and the clean images run through the
network. Every finished pass is kept in OUT: the same command goes on where it was interrupted.
Metrics and data are those of the config's test_evaluator and test_dataloader. With --baseline NAME
models are compared image by image, with 95 % intervals of what they change.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from mmscd.robustness.benchmark import run_benchmark
from mmscd.robustness.contestants import RobustnessOptions
from mmscd.utils.command_line import (
    add_launcher,
    add_model,
    add_precision,
    make_parser,
    parse_model,
    run_tool,
)


def run(args: argparse.Namespace) -> None:
    """Run the benchmark."""
    names = [field.name for field in fields(RobustnessOptions)]
    options = RobustnessOptions(**{name: getattr(args, name) for name in names})
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
    add = parser.add_argument
    add('--name', help="the model's name; default: that of the config")
    compare = 'a further model for the same table; may be repeated'
    metavar = 'NAME=CONFIG,CHECKPOINT'
    add('--compare', action='append', default=[], type=parse_model, metavar=metavar, help=compare)
    baseline = "whose DEE are CE's 100 %%: the name of a model, or %(default)s (default)"
    add('--baseline', default=default.baseline, help=baseline)
    add('--corruptions', nargs='*', default=default.corruptions, metavar='NAME')
    add('--severities', nargs='+', type=int, default=default.severities)
    protocol = 'corrupt after the resize to the input size of the network, or before'
    add('--protocol', choices=('robodepth', 'native'), default=default.protocol, help=protocol)
    add('--kitti-c', metavar='DIR', help='read the corrupted images from here')
    shifted = 'conditions beside the corruptions: images of DIR/CONDITION/SEVERITY'
    add('--shifted', metavar='DIR', help=shifted)
    add('--seed', type=int, default=default.seed)
    add('--out', type=Path, help='default: work_dirs/robustness/<name of the config>')
    add('--batch-size', type=int, default=default.batch_size)
    add('--workers', type=int, default=default.workers, help='processes that corrupt')
    add('--memory-gb', type=float, default=default.memory_gb, help='for decoded images')
    add('--by-corruption', action='store_true', help='paired differences of every corruption, too')
    add_precision(parser)
    add_launcher(parser)
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

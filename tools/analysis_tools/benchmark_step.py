"""What training costs, side by side in one run. No number depends on what ran before.

Examples::

    # steps of several configs on a fixed batch, every part at full strength
    python tools/analysis_tools/benchmark_step.py configs/monodepth2/monodepth2_r18_kitti-mini.py \
        configs/scd/scd_r18_kitti-mini.py --amp
    # a config and variants of it, against a step in the usual form; where the time goes, and how
    # many operations each is
    python tools/analysis_tools/benchmark_step.py CONFIG --reference --parts --count \
        --variant channels_last model.channels_last=True
    # forward and backward of the photometric loss in the usual form and in ours
    python tools/analysis_tools/benchmark_step.py --part loss --size 640x192 --batch 4
    # samples per second that the dataloader of a config delivers
    python tools/analysis_tools/benchmark_step.py CONFIG --part loader
    # iterations of a whole training, its data loader, hooks and logs included
    python tools/analysis_tools/benchmark_step.py CONFIG --part training --steps 200
    # losses of 200 iterations of a config and a variant, drawn over each other
    python tools/analysis_tools/benchmark_step.py CONFIG --part curve --steps 200 \
        --variant triton model.kernels=triton --plot curve.png
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmscd.engine import benchmark
from mmscd.engine.benchmark_loss import loss_sides, recorded
from mmscd.engine.step_parts import count_kernels, count_operations
from mmscd.ops.kernels import has_triton
from mmscd.utils.command_line import make_parser, output_file, parse_size, run_tool
from mmscd.utils.config import load_config
from mmscd.utils.files import write_json
from mmscd.utils.option_action import OptionAction, parse_options
from mmscd.visualization.chart_style import save_figure
from mmscd.visualization.charts import curve_panels

PARTS = ('step', 'loss', 'loader', 'training', 'curve')


def make_arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('configs', nargs='*', help='paths, or package::path')
    add('--part', choices=PARTS, default='step')
    add('--steps', type=int, default=20, help='timed turns of each (default 20)')
    add('--warm-up', type=int, default=5, help='turns before (default 5: a CUDA graph is recorded)')
    add('--amp', action='store_true', help='mixed precision, of steps')
    text = "a step of the first config's networks with the loss of the usual form, in float32"
    add('--reference', action='store_true', help=f'first {text}, with a plain Adam')
    text = 'also every config with these overrides; may be repeated'
    add('--variant', nargs='+', action='append', default=[], metavar='NAME KEY=VALUE', help=text)
    add('--parts', action='store_true', help='shares of the parts of a step in its time')
    add('--count', action='store_true', help='operations of a turn; kernels on a GPU')
    add('--record', action='store_true', help="the loss by Triton's kernels as one CUDA graph, too")
    add('--size', type=parse_size, default=(640, 192), help='of the loss')
    add('--batch', type=int, default=4, help='of the loss')
    add('--cfg-options', nargs='+', action=OptionAction, help='of all configs')
    add('--json', type=output_file, help='a file for the numbers')
    add('--plot', type=output_file, help='a picture of the losses, .png, .svg or .pdf')
    return parser


def run(args: argparse.Namespace) -> None:
    """Time and print."""
    if args.steps < 1 or args.warm_up < 0:
        raise ValueError('--steps must be at least 1, --warm-up not negative')
    if not args.configs and args.part != 'loss':
        raise ValueError(f'--part {args.part} needs at least one config')
    if args.record and not (torch.cuda.is_available() and has_triton()):
        raise ValueError('--record needs a GPU and Triton')
    configs = read_configs(args)
    with tempfile.TemporaryDirectory(prefix='mmscd_step_') as folder:
        if args.part == 'curve':
            found = compare_losses(args, configs, folder)
        else:
            samples = args.batch
            if configs:
                samples = next(iter(configs.values())).train_dataloader.batch_size
            found = benchmark.make_rows(measure(args, configs, folder), samples)
            print(benchmark.make_table(found))
    machine = benchmark.describe_machine()
    print(', '.join([f'{args.steps} turns each', *machine.values()]))
    if args.json:
        write_json(args.json, dict(machine, steps=args.steps, sides=found))


def read_configs(args: argparse.Namespace) -> dict[str, Config]:
    """By name, every config and its variants."""
    configs = {}
    for path in args.configs:
        configs[path] = load_config(path, args.cfg_options)
        for name, *options in args.variant:
            overrides = (args.cfg_options or {}) | parse_options(options)
            name = name if len(args.configs) == 1 else f'{path} {name}'
            if name in configs:
                raise ValueError(f'--variant {name} is given twice')
            configs[name] = load_config(path, overrides)
    return configs


def measure(
    args: argparse.Namespace, configs: dict[str, Config], folder: str
) -> dict[str, benchmark.Cost]:
    """By side, what `--part` asks for; Runners write to the folder."""
    if args.part == 'training':
        costs = {}
        for number, (name, cfg) in enumerate(configs.items()):
            own = (cfg, f'{folder}/{number}', args.amp, args.steps, args.warm_up)
            seconds, waiting = benchmark.time_training(*own)
            costs[name] = benchmark.Cost([seconds], waiting)
        return costs
    sides: dict[str, Any] = {}
    init_default_scope('mmscd')
    if args.part == 'loader':
        sides.update({name: benchmark.loading_side(cfg) for name, cfg in configs.items()})
    elif args.part == 'loss':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        sides.update(loss_sides(args.size, args.batch, device=device, dtype=torch.float32))
        if args.record:
            sides['triton, recorded'] = recorded(sides['triton'])
    else:
        if args.reference:
            first = next(iter(configs.values()))
            sides['reference'] = benchmark.reference_step(first, f'{folder}/reference')
        for number, (name, cfg) in enumerate(configs.items()):
            sides[name] = benchmark.training_step(cfg, f'{folder}/{number}', args.amp)
    times = benchmark.take_turns(sides, args.steps, args.warm_up)
    costs = {name: benchmark.Cost(own) for name, own in times.items()}
    # after all times are taken: it would slow them
    for name, side in sides.items():
        step = side if isinstance(side, benchmark.TrainingStep) else None
        if args.parts and step:
            costs[name].shares = step.share_of_parts(args.steps)
        if args.count and torch.cuda.is_available():
            costs[name].operations = {'': count_kernels(side)}
        elif args.count:
            counts = step.count_by_part() if step else {'': count_operations(side).total()}
            costs[name].operations = counts
    return costs


def compare_losses(
    args: argparse.Namespace, configs: dict[str, Config], folder: str
) -> dict[str, dict[str, Any]]:
    """Losses of every side over `--steps` iterations, and how far they are from the first one's."""
    losses = {}
    for number, (name, cfg) in enumerate(configs.items()):
        step = benchmark.training_step(cfg, f'{folder}/{number}', args.amp, fixed=False)
        losses[name] = [step()['loss'].item() for _ in range(args.steps)]
    first, found = next(iter(losses.values())), {}
    for name, own in losses.items():
        apart = [abs(a - b) / abs(b) for a, b in zip(own, first, strict=True)]
        found[name] = dict(losses=own, largest=max(apart), mean=sum(apart) / len(apart))
        print(f'{name}: loss {own[0]:.6f} to {own[-1]:.6f}, apart from the first', end=' ')
        print(f'by at most {max(apart):.2e}, {found[name]["mean"]:.2e} on average (relative)')
    if args.plot:
        steps = range(1, args.steps + 1)
        curves = {
            Path(name).stem if name in args.configs else name: (steps, own)
            for name, own in losses.items()
        }
        save_figure(curve_panels(dict(loss=curves)), args.plot)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Time and print."""
    run_tool(make_arguments(), run, argv)


if __name__ == '__main__':
    main()

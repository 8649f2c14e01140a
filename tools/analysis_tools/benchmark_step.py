"""What a training step costs: several configs side by side in one run.

Example: python tools/analysis_tools/benchmark_step.py \
    configs/monodepth2/monodepth2_r18_kitti-mini.py configs/scd/scd_r18_kitti-mini.py --amp

Every config gets its own model, optimizer and teacher and one batch of its training data, which is
loaded before and not timed. Steps of the configs take turns, so that whatever else the machine does
meets all of them alike. The first config is what the others are divided by.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import torch
from terminaltables import AsciiTable

from mmscd.engine import launch
from mmscd.models import loading
from mmscd.utils.config import load_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', help='paths, or package::path')
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each (default 20)')
    parser.add_argument('--warm-up', type=int, default=3, help='steps before (default 3)')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='of all configs')
    args = parser.parse_args(argv)
    if args.steps < 1 or args.warm_up < 0:
        parser.error('--steps must be at least 1, --warm-up not negative')
    return args


def make_step(config: str, args: argparse.Namespace, work_dir: str) -> Callable[[], None]:
    """A function that does one training step on a fixed batch, at full strength of every loss."""
    cfg = load_config(config, args.cfg_options)
    cfg.work_dir, cfg.log_level = work_dir, 'WARNING'
    cfg.experiment_name = f'step_{abs(hash(config))}'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    loading.disable_initial_weights(cfg.model)
    if args.amp:
        launch.set_amp(cfg)
    cfg.default_hooks.pop('schedule', None)
    runner = launch.build_runner(cfg)
    batch = next(iter(runner.build_dataloader(cfg.train_dataloader, seed=0)))
    optimizer = runner.build_optim_wrapper(cfg.optim_wrapper)
    model = runner.model.train()
    for hook in runner.hooks:
        if type(hook).__name__ == 'IsomorphicGraphDistillHook':
            hook.before_train(runner)
            model.distiller.set_strength(1.0)

    def step() -> None:
        model.train_step(batch, optimizer)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def main(argv: Sequence[str] | None = None) -> None:
    """Time and print."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(prefix='mmscd_step_') as folder:
        steps = [make_step(config, args, folder) for config in args.configs]
        times: list[list[float]] = [[] for _ in steps]
        for turn in range(args.warm_up + args.steps):
            for step, own in zip(steps, times, strict=True):
                begin = time.perf_counter()
                step()
                if turn >= args.warm_up:
                    own.append(time.perf_counter() - begin)
    first = times[0]
    rows = [['config', 'median ms', 'min ms', 'x first (median)', 'x first (min)']]
    for config, own in zip(args.configs, times, strict=True):
        median, low = statistics.median(own), min(own)
        ratios = [f'{median / statistics.median(first):.2f}', f'{low / min(first):.2f}']
        rows.append([config, f'{1000 * median:.0f}', f'{1000 * low:.0f}', *ratios])
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'
    print(AsciiTable(rows).table)
    print(f'{args.steps} steps each in turns, {device}, {torch.get_num_threads()} torch threads')


if __name__ == '__main__':
    main()

"""Tests and benchmarks of the training step on this machine, in at most eight minutes.

`bash tools/gpu_check.sh` calls it with what it needs and says what is missing. Every step is a
process of its own with a limit of time; what one finds is in the table before the next begins.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from mmscd.utils.command_line import make_parser, output_folder, run_tool
from mmscd.utils.files import atomic_write, write_json
from mmscd.utils.schema import read_json

ROOT = Path(__file__).resolve().parents[2]
PLAIN, THEIRS = 'as configured', ('reference', 'eager')
# each with those before it; on a CPU Triton's interpreter takes minutes for a step, so that its
# kernels are in the tests only
TRITON, GRAPH, COMPILE = 'model.kernels=triton', 'model.cuda_graph=True', 'model.compile=True'
SWITCHES = {'triton': [TRITON], 'triton, graph': [TRITON, GRAPH]}
LAST = 'triton, graph'
ON_DEVICE = 'train_dataloader.dataset.on_device=True'
ALL = {'triton, graph, compiled': [TRITON, GRAPH, COMPILE]}
LIMIT = 460.0  # seconds for all, of which a step has its share
BASES = {
    'baseline': ('models/monodepth2_r18', 'schedules/schedule_mini', 'default_runtime'),
    'scd': ('models/scd_r18', 'schedules/scd_mini', '../teachers/fpn_r18_road_semantics'),
}
CONFIG = """_base_ = [{bases}]
model = dict(network_dtype='bfloat16', channels_last=True)
train_dataloader = dict(
    batch_size={batch},
    num_workers={workers},
    dataset=dict(
        type='FolderDepthDataset',
        data_root='{frames}',
        pipeline=[
            dict(type='LoadFrames'),
            dict(type='ResizeFrames', size={size}),
            dict(type='PackDepthInputs'),
        ],
    ),
)
"""


@dataclass
class Step:
    """One process: the arguments of `benchmark_step.py`, or of pytest."""

    name: str
    arguments: list[str]
    limit: float  # seconds
    variants: dict[str, list[str]] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)  # by side, what benchmark_step.py wrote
    said: str = ''

    def times(self) -> list[float]:
        """Milliseconds of our sides."""
        own = [row for name, row in self.found.items() if name not in THEIRS]
        return [row['median_ms'] for row in own if 'median_ms' in row]


class Check:
    """The steps, one after the other, and the table."""

    def __init__(self, args: argparse.Namespace, scratch: Path) -> None:
        self.scratch, self.log = scratch, args.out / 'log.txt'
        self.out, self.begin, self.limit = args.out, time.monotonic(), args.limit
        self.gpu, self.quick, self.folder = args.device == 'cuda', args.quick, args.folder.resolve()
        self.environment = dict(os.environ, MMSCD_DATA=str(self.folder), PYTHON=sys.executable)
        if not self.gpu:
            self.environment.update(CUDA_VISIBLE_DEVICES='', TRITON_INTERPRET='1')
        self.steps = {step.name: step for step in self.plan()}

    def plan(self) -> list[Step]:
        """What is to be done, the most important first."""
        size, small, batch = ((64, 64), (64, 64), 2) if self.quick else ((640, 192), (192, 64), 12)
        self.sizes = f'{size[0]}x{size[1]}, batch {batch}'
        turns, curve = ('1', '3') if self.quick else ('40', '200')
        base, scd = self.config('baseline', size, batch), self.config('scd', size, batch)
        little = self.config('little', small, min(batch, 8))
        timed = ['--steps', turns, '--warm-up', '0' if self.quick else '10']
        each = [*timed, '--parts', '--count']
        tests = ['tests/test_cuda.py', 'tests/test_ops/test_triton.py']
        at_once = ['-n', '6'] if find_spec('xdist') else []
        last = {LAST: SWITCHES[LAST]}
        full = {'float32': ['model.network_dtype=None'], **last}
        loss = [f'--size={size[0]}x{size[1]}', f'--batch={batch}', '--part=loss', *timed, '--count']
        long = ['--steps', curve, '--plot', str(self.out / 'curve.png')]
        long += ['--cfg-options', ON_DEVICE]  # or half of the time goes into the data
        on_device = {'on the device': [*SWITCHES[LAST], ON_DEVICE]}
        return [
            Step('tests', ['-q', '-p', 'no:cacheprovider', *at_once, *tests], 170),
            Step('baseline', [base, '--reference', *each], 80, SWITCHES),
            Step('scd', [scd, *each], 80, SWITCHES),
            Step('loss', loss, 40),
            *[Step('loss recorded', [*loss, '--record'], 40)] * self.gpu,
            Step('little', [little, *timed], 50, SWITCHES),
            Step('training', [base, '--part=training', '--steps', curve], 60, last | on_device),
            Step('curve', [base, '--part=curve', *long], 80, full),
            Step('loader', [base, '--part=loader', *timed], 40),
            Step('baseline compiled', [base, *timed], 120, ALL),
            Step('scd compiled', [scd, *timed], 120, ALL),
        ]

    def config(self, name: str, size: tuple[int, int], batch: int) -> str:
        """Path of a config that is written for this check."""
        path, bases = self.scratch / f'{name}.py', BASES['scd' if name == 'scd' else 'baseline']
        text = CONFIG.format(
            bases=', '.join(f"'{ROOT}/configs/_base_/{base}.py'" for base in ('loaders', *bases)),
            batch=batch,
            workers=2 if self.quick else min(16, os.cpu_count() or 1),
            frames=self.folder / 'frames',
            size=size,
        )
        if name == 'scd':
            text += 'model.update(distiller=dict(teacher={{_base_.teacher}}))\n'
            text += f'default_hooks = dict(distill=dict(probe_size={size[::-1]}))\n'
        atomic_write(path, text.encode())
        return str(path)

    def run(self) -> None:
        """All steps; the table is written anew after each."""
        for step in self.steps.values():
            self.run_step(step)
            print(f'== {step.name}: {step.said}', flush=True)
            self.write()
        print(f'\n{(self.out / "table.md").read_text()}')

    def run_step(self, step: Step) -> None:
        """All variants side by side in one process; where that fails each in one of its own."""
        if step.name == 'tests':
            step.said = self.call(['-m', 'pytest', *step.arguments], step.limit)
            return
        step.said = self.benchmark(step, step.variants)
        if step.found or not step.said.startswith('FAILED'):
            return
        for name, options in step.variants.items():
            step.said += f'; {name} alone: {self.benchmark(step, {name: options})}'

    def benchmark(self, step: Step, variants: dict[str, list[str]]) -> str:
        """Run `benchmark_step.py` and keep what it found; how it ended."""
        numbers = self.scratch / 'numbers.json'
        numbers.unlink(missing_ok=True)
        command = ['tools/analysis_tools/benchmark_step.py', *step.arguments]
        command += ['--json', str(numbers)]
        for name, options in variants.items():
            options = [option for option in options if self.gpu or option != TRITON]
            command += ['--variant', name, *options]
        said = self.call(command, step.limit)
        if numbers.is_file():
            sides = read_json(numbers, 'run the check again', dict(sides=dict))['sides']
            step.found |= {PLAIN if k.endswith('.py') else k: row for k, row in sides.items()}
        return said

    def call(self, command: list[str], limit: float) -> str:
        """Run Python with a limit of time and the output in the log; its last line."""
        left = self.limit - (time.monotonic() - self.begin)
        limit = min(limit * self.limit / LIMIT, left)
        if limit <= 0:
            return 'left out: no time was left'
        begin = time.monotonic()
        with self.log.open('a') as file:
            print('\n$ python', shlex.join(command), file=file, flush=True)
            said = {'stdout': file, 'stderr': subprocess.STDOUT, 'start_new_session': True}
            command = [sys.executable, *command]
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, **said)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                return f'stopped after {limit:.0f} s'
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        last = self.log.read_text(errors='replace').rstrip().splitlines()[-1][:300]
        return f'{"FAILED, " if status else ""}{last} ({time.monotonic() - begin:.0f} s)'

    def wanted(self) -> list[tuple[str, float, float]]:
        """What is asked of a GPU: name, number, limit; at least where that is negative."""
        steps, none = self.steps, math.nan
        times = {name: min(step.times(), default=none) for name, step in steps.items()}
        base = min_known(times['baseline'], times['baseline compiled'])
        loss = min_known(times['loss'], times.get('loss recorded', none))
        scd = min_known(times['scd'], times['scd compiled'])
        reference = steps['baseline'].found.get('reference', {}).get('median_ms', none)
        trained = [row['samples_per_second'] for row in steps['training'].found.values()]
        apart = {name: row['mean'] for name, row in steps['curve'].found.items()}
        noise = apart.get('float32') or none
        return [
            ('baseline, ms a step', base, 10),
            ('SCD, times the baseline', scd / base, 1.6),
            ('loss forward and backward, ms', loss, 1),
            ('baseline, times as fast as the reference step', reference / base, -6),
            ('training with its data loader, samples/s', max(trained, default=none), -1000),
            ('192x64 at a batch of 8, ms a step', times['little'], 3),
            ('losses: apart from eager / bfloat16 from float32', apart.get(LAST, none) / noise, 1),
        ]

    def judge(self) -> list[dict[str, Any]]:
        """What is wanted, what was measured, and whether that is so; None: not known."""
        rows = []
        for name, number, limit in self.wanted():
            known = not math.isnan(number)
            kept = (number <= limit if limit > 0 else number >= -limit) if known else None
            wanted = f'{"<=" if limit > 0 else ">="} {abs(limit)}'
            row = dict(name=name, measured=number if known else None, wanted=wanted)
            rows.append(dict(row, kept=kept if self.gpu else None))
        return rows

    def write(self) -> None:
        """`table.md` and `numbers.json` of what is known so far."""
        device = torch.cuda.get_device_name() if self.gpu else 'not measured on a GPU'
        lines = [f'# Training step: {device}', '']
        lines += [f'PyTorch {torch.__version__}, {self.sizes}; {time.strftime("%Y-%m-%d")}', '']
        lines += ['| | measured | wanted | |', '|---|---|---|---|']
        for row in self.judge():
            told = '-' if row['measured'] is None else f'{row["measured"]:.3g}'
            kept = {True: 'yes', False: 'no', None: '-' if told == '-' else device}[row['kept']]
            lines.append(f'| {row["name"]} | {told} | {row["wanted"]} | {kept} |')
        lines += ['', '| step | side | ms | samples/s | waiting | kernels | parts |']
        lines += ['|---|---|---|---|---|---|---|']
        for step in self.steps.values():
            lines += [f'| {step.name} | {n} | {_cells(row)} |' for n, row in step.found.items()]
        lines += ['', *(f'- {step.name}: {step.said or "to come"}' for step in self.steps.values())]
        atomic_write(self.out / 'table.md', '\n'.join([*lines, '']).encode())
        steps = {step.name: dict(said=step.said, sides=step.found) for step in self.steps.values()}
        content = dict(device=device, wanted=self.judge(), steps=steps)
        write_json(self.out / 'numbers.json', content)


def min_known(*numbers: float) -> float:
    """The smallest that is not NaN."""
    return min((n for n in numbers if not math.isnan(n)), default=math.nan)


def _cells(row: dict[str, Any]) -> str:
    if 'losses' in row:
        ends = f'loss {row["losses"][0]:.4f} to {row["losses"][-1]:.4f}'
        return f'| | | | {ends}; apart by {row["mean"]:.1e}, at most {row["largest"]:.1e}'
    kernels = sum((row['operations'] or {}).values())
    waiting = '' if row['waiting'] is None else f'{row["waiting"]:.1%}'
    parts = ', '.join(f'{n} {share:.0%}' for n, share in (row['shares'] or {}).items())
    cells = [f'{row["median_ms"]:.2f}', f'{row["samples_per_second"]:.0f}', waiting]
    return ' | '.join([*cells, str(kernels or ''), parts])


def run(args: argparse.Namespace) -> None:
    """Check."""
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise RuntimeError('PyTorch sees no GPU here: --device cpu --quick tries the check without')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the step at work ends too
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='mmscd_gpu_check_') as scratch:
        Check(args, Path(scratch)).run()


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('folder', type=Path, help='frames and weights, of gpu_check.sh --pack')
    add('--out', type=output_folder, default=Path('work_dirs/gpu_check'), help='for the table')
    add('--device', choices=('cuda', 'cpu'), default='cuda')
    add('--quick', action='store_true', help='small images and few turns: only whether it works')
    add('--limit', type=float, default=LIMIT, help=f'seconds for all (default {LIMIT:g})')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

"""Train and compare variants of a method over seeds; robustness included.

Example::

    python tools/analysis_tools/run_ablation.py --work-dir work_dirs/ablation --seeds 0 1 2 --amp \
        --variant baseline configs/monodepth2/monodepth2_r18_kitti-mini.py \
        --variant full configs/scd/scd_r18_kitti-mini.py \
        --variant texture configs/scd/scd_r18_kitti-mini.py model.losses.structure=None \
            model.distiller=None default_hooks.distill=None \
        --corruptions dark fog snow gaussian_noise --severities 3

A variant is a name, a config and overrides. Every run is resumable: the same command goes on where
it was interrupted and skips what is finished. Every run is judged at its last iteration on clean
and corrupted test images; the first variant is the baseline. `--jobs N` keeps N runs going at a
time, on a machine with room for them. Where parts begin late, `--shared-until N` trains the first N
iterations once per seed: the other variants go on from the baseline's checkpoint. For that all must
have the same parameters and optimizer: a part is switched off by a `begin` after the end, not by
None.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from ablation_runs import Run, branch, claim_folder, plan_runs

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.robustness.ablation import make_ablation_tables, summarise_ablation
from mmscd.utils.files import atomic_write, write_json

ROOT = Path(__file__).resolve().parents[2]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--variant',
        nargs='+',
        action='append',
        required=True,
        metavar='NAME CONFIG [KEY=VALUE ...]',
        help='the first one is the baseline',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--work-dir', required=True, type=Path)
    parser.add_argument('--options', nargs='+', default=[], help='KEY=VALUE for all variants')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--corruptions', nargs='+', default=list(CORRUPTIONS), choices=CORRUPTIONS)
    parser.add_argument(
        '--severities', nargs='+', type=int, default=list(SEVERITIES), choices=SEVERITIES
    )
    parser.add_argument('--protocol', choices=('robodepth', 'native'), default='robodepth')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time')
    parser.add_argument(
        '--shared-until',
        type=int,
        metavar='ITERATION',
        help='until then all runs of a seed are the baseline; a checkpoint must fall on it',
    )
    parser.add_argument('--dry-run', action='store_true', help='only say what would be done')
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, got {args.jobs}')
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds must differ, got {args.seeds}')
    names = [variant[0] for variant in args.variant]
    for variant in args.variant:
        if len(variant) < 2 or any('=' not in option for option in variant[2:]):
            parser.error(f'--variant takes NAME CONFIG [KEY=VALUE ...], got {" ".join(variant)}')
        if names.count(variant[0]) > 1 or '/' in variant[0]:
            parser.error(f'--variant {variant[0]}: names must differ and hold no slash')
    return args


def call(command: list[str], log: Path, brief: bool, stop: threading.Event) -> None:
    """Run a command with its whole output in a file and its progress on the screen.

    Raises:
        RuntimeError: it failed (names the log), or nothing shall be started any more.
    """
    if stop.is_set():
        raise RuntimeError('stopped')
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('a') as file:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=-2
        )
        screen = None
        if brief:
            screen = subprocess.Popen(
                [sys.executable, 'tools/misc/brief_log.py'], cwd=ROOT, text=True, stdin=-1
            )
        for line in process.stdout:
            file.write(line)
            file.flush()
            if screen:
                screen.stdin.write(line)
                screen.stdin.flush()
        if screen:
            screen.stdin.close()
            screen.wait()
    if process.wait():
        raise RuntimeError(f'{" ".join(command[:2])} failed with {process.returncode}: see {log}')


class Worker:
    """Trains and judges runs; one object for all threads.

    Args:
        args: of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.stop = threading.Event()

    def train(self, run: Run, trunk: Run | None = None) -> Run:
        """Train, or go on; from its trunk's checkpoint where it has one and has not begun."""
        shared = None
        if trunk:
            shared = dict(until=self.args.shared_until, config=trunk.config, options=trunk.options)
        claim_folder(run, self.args.amp, shared)
        if run.checkpoint.is_file():
            return run
        options = [f'randomness.seed={run.seed}', *run.options]
        if trunk:
            branch(run, trunk, self.args.shared_until)
            # the checkpoint names the trunk's best one, which would be replaced by this run's
            options.append('default_hooks.checkpoint.save_best=None')
        print(f'== {run.variant}, seed {run.seed}: training', flush=True)
        command = ['tools/train.py', run.config, '--work-dir', str(run.folder), '--resume', 'auto']
        command += ['--amp'] * self.args.amp + ['--cfg-options', *options]
        call(command, run.folder / 'console.log', self.args.jobs == 1, self.stop)
        if not run.checkpoint.is_file():
            raise RuntimeError(f'the training ended without {run.checkpoint}: see its console.log')
        return run

    def evaluate(self, run: Run) -> dict:
        """Scores by corruption; finished passes are kept by the tool."""
        command = ['tools/analysis_tools/test_robustness.py', run.config, str(run.checkpoint)]
        command += ['--name', run.variant, '--out', str(run.scores.parent)]
        command += ['--protocol', self.args.protocol, '--corruptions', *self.args.corruptions]
        command += ['--severities', *map(str, self.args.severities)]
        if run.options:
            command += ['--cfg-options', *run.options]
        call(command, run.folder / 'robustness.log', False, self.stop)
        return json.loads(run.scores.read_text())['models'][run.variant]['corruptions']

    def finish(self, run: Run, trunk: Future | None) -> dict:
        """One run from what there is of it to its scores, once its trunk is trained."""
        trained = trunk.result() if trunk else None
        self.train(run, None if trained is run else trained)
        return self.evaluate(run)


def work(runs: list[Run], args: argparse.Namespace) -> Iterator[tuple[Run, dict]]:
    """Finished runs with their scores, as they come.

    Trunks are trained first; a run that waits for its own keeps a place that nothing else wants.
    """
    worker = Worker(args)
    with ThreadPoolExecutor(args.jobs) as pool:
        baselines = [run for run in runs if run.variant == args.variant[0][0]]
        trunks = {r.seed: pool.submit(worker.train, r) for r in baselines if args.shared_until}
        jobs = {pool.submit(worker.finish, run, trunks.get(run.seed)): run for run in runs}
        try:
            for job in as_completed(jobs):
                run = jobs[job]
                if job.exception():
                    print(f'{run.variant}, seed {run.seed}: {job.exception()}', flush=True)
                yield run, job.result()
        except BaseException:
            worker.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def write_results(
    folder: Path, scores: dict[str, dict[int, dict]], summaries: dict, text: str
) -> None:
    """`ablation.json`, `ablation.csv` and `tables.txt`."""
    content = dict(runs=scores, summary={name: asdict(s) for name, s in summaries.items()})
    write_json(folder / 'ablation.json', content)
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(['variant', 'seed', 'corruption', 'abs_rel', 'delta1', 'dee'])
    for name, seeds in scores.items():
        for seed, rows in seeds.items():
            for key, row in rows.items():
                writer.writerow([name, seed, key, row['abs_rel'], row['delta1'], row['dee']])
    atomic_write(folder / 'ablation.csv', stream.getvalue().encode())
    atomic_write(folder / 'tables.txt', (text + '\n').encode())


def main(argv: list[str] | None = None) -> None:
    """Everything, with a table after each run that there is a baseline for."""
    args = parse_args(argv)
    args.work_dir = args.work_dir.resolve()
    runs = plan_runs(args)
    for run in runs:
        state = 'finished' if run.checkpoint.is_file() else 'to train'
        print(f'{run.variant}, seed {run.seed}: {state}', flush=True)
    if args.dry_run:
        return
    baseline, scores, begin = args.variant[0][0], {}, time.monotonic()
    for number, (run, rows) in enumerate(work(runs, args), 1):
        scores.setdefault(run.variant, {})[run.seed] = rows
        minutes = (time.monotonic() - begin) / 60
        print(f'== {number}/{len(runs)}: {run.variant}, seed {run.seed}, {minutes:.1f} min')
        if baseline in scores:
            names = [variant[0] for variant in args.variant if variant[0] in scores]
            order = {name: dict(sorted(scores[name].items())) for name in names}
            summaries = summarise_ablation(order, baseline)
            text = make_ablation_tables(summaries, baseline)
            write_results(args.work_dir, order, summaries, text)
            print(text, flush=True)


if __name__ == '__main__':
    main()

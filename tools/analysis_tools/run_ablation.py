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
have the same parameters: a part is switched off by a `begin` after the end, not by None.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from mmscd.datasets.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.evaluation.ablation import make_ablation_tables, summarise_ablation
from mmscd.utils.compat import atomic_write

ROOT = Path(__file__).resolve().parents[2]
RUN_FILE = 'run.json'


@dataclass
class Run:
    """One training: a variant and a seed."""

    variant: str
    config: str
    options: list[str]
    seed: int
    folder: Path
    iterations: int

    @property
    def checkpoint(self) -> Path:
        """What the training ends with."""
        return self.folder / f'iter_{self.iterations}.pth'

    @property
    def scores(self) -> Path:
        """What the evaluation ends with."""
        return self.folder / 'robustness' / 'summary.json'


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
    names = [variant[0] for variant in args.variant]
    for variant in args.variant:
        if len(variant) < 2 or any('=' not in option for option in variant[2:]):
            parser.error(f'--variant takes NAME CONFIG [KEY=VALUE ...], got {" ".join(variant)}')
        if names.count(variant[0]) > 1 or '/' in variant[0]:
            parser.error(f'--variant {variant[0]}: names must differ and hold no slash')
    return args


def plan_runs(args: argparse.Namespace) -> list[Run]:
    """All runs, seed by seed, so that an interrupted comparison has whole seeds."""
    from mmengine.config import DictAction

    from mmscd.utils.config import load_config

    runs = []
    parser = argparse.ArgumentParser()
    parser.add_argument('--o', nargs='*', action=DictAction)
    for seed in args.seeds:
        for name, config, *options in args.variant:
            options = [*args.options, *options]
            cfg = load_config(config, parser.parse_args(['--o', *options]).o if options else None)
            folder = args.work_dir / name / f'seed{seed}'
            runs.append(Run(name, config, options, seed, folder, cfg.train_cfg.max_iters))
    return runs


def claim_folder(run: Run, amp: bool, shared_until: int | None) -> None:
    """Refuse a folder that holds another experiment.

    Raises:
        ValueError: config, options or precision differ from what the folder was made with.
    """
    wanted = dict(config=run.config, options=run.options, seed=run.seed, amp=amp)
    if shared_until:
        wanted['shared_until'] = shared_until
    file = run.folder / RUN_FILE
    if file.is_file():
        found = json.loads(file.read_text())
        if found != wanted:
            raise ValueError(
                f'{run.folder} holds another experiment: {found}, wanted {wanted}; choose another '
                '--work-dir or name, or delete the folder'
            )
    else:
        atomic_write(file, json.dumps(wanted, indent=2).encode())


def call(command: list[str], log: Path, brief: bool) -> None:
    """Run a command with its whole output in a file and its progress on the screen.

    Raises:
        RuntimeError: it failed; names the log.
    """
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


def train(run: Run, amp: bool, brief: bool = True) -> None:
    """Train, or go on; `brief` shows the progress."""
    if run.checkpoint.is_file():
        return
    options = [f'randomness.seed={run.seed}', *run.options]
    command = ['tools/train.py', run.config, '--work-dir', str(run.folder), '--resume', 'auto']
    command += ['--amp'] * amp + ['--cfg-options', *options]
    call(command, run.folder / 'console.log', brief)
    if not run.checkpoint.is_file():
        raise RuntimeError(f'the training ended without {run.checkpoint}: see its console.log')


def evaluate(run: Run, args: argparse.Namespace) -> dict:
    """Scores by corruption; finished passes are kept by the tool."""
    command = ['tools/analysis_tools/test_robustness.py', run.config, str(run.checkpoint)]
    command += ['--name', run.variant, '--out', str(run.scores.parent)]
    command += ['--protocol', args.protocol, '--corruptions', *args.corruptions]
    command += ['--severities', *map(str, args.severities)]
    if run.options:
        command += ['--cfg-options', *run.options]
    call(command, run.folder / 'robustness.log', brief=False)
    return json.loads(run.scores.read_text())['models'][run.variant]['corruptions']


def branch(run: Run, trunk: Run, iteration: int) -> None:
    """Let a run that has not begun go on from a checkpoint of another one.

    Raises:
        FileNotFoundError: the other run kept none of that iteration.
    """
    from mmscd.engine import find_latest_checkpoint

    if find_latest_checkpoint(run.folder):
        return
    source = trunk.folder / f'iter_{iteration}.pth'
    if not source.is_file():
        raise FileNotFoundError(
            f'--shared-until {iteration}: {source} does not exist; let it be a multiple of '
            'default_hooks.checkpoint.interval, and max_keep_ckpts large enough to keep it'
        )
    part = run.folder / f'.{source.name}.part'
    shutil.copyfile(source, part)
    part.rename(run.folder / source.name)


def finish(run: Run, trunk: Run | None, args: argparse.Namespace) -> dict:
    """One run from what there is of it to its scores."""
    claim_folder(run, args.amp, args.shared_until if trunk else None)
    if trunk:
        branch(run, trunk, args.shared_until)
    train(run, args.amp, brief=args.jobs == 1)
    return evaluate(run, args)


def work(runs: list[Run], args: argparse.Namespace) -> Iterator[tuple[Run, dict]]:
    """Finished runs with their scores, as they come; the trunks of the others come first."""
    baseline = args.variant[0][0]
    trunks = {run.seed: run for run in runs if run.variant == baseline} if args.shared_until else {}
    waves = [list(trunks.values()), [run for run in runs if trunks.get(run.seed) is not run]]
    with ThreadPoolExecutor(args.jobs) as pool:
        for number, wave in enumerate(waves):
            jobs = {
                pool.submit(finish, run, trunks.get(run.seed) if number else None, args): run
                for run in wave
            }
            try:
                for job in as_completed(jobs):
                    yield jobs[job], job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def write_results(
    folder: Path, scores: dict[str, dict[int, dict]], summaries: dict, text: str
) -> None:
    """`ablation.json`, `ablation.csv` and `tables.txt`."""
    content = dict(runs=scores, summary={name: asdict(s) for name, s in summaries.items()})
    atomic_write(folder / 'ablation.json', json.dumps(content, indent=2).encode())
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
            order = {v[0]: scores[v[0]] for v in args.variant if v[0] in scores}
            summaries = summarise_ablation(order, baseline)
            text = make_ablation_tables(summaries, baseline)
            write_results(args.work_dir, order, summaries, text)
            print(text, flush=True)


if __name__ == '__main__':
    main()

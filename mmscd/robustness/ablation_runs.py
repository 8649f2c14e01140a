"""Runs of an ablation: each is trained and judged once, and goes on where it was interrupted."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mmscd.utils.config import load_config
from mmscd.utils.files import atomic_write, write_json
from mmscd.utils.names import check_names
from mmscd.utils.option_action import parse_options
from mmscd.utils.schema import check, read_json
from mmscd.utils.text import parse_yaml, read_text

from .ablation import write_ablation
from .ablation_jobs import Commands
from .plan import Plan, note_plan
from .scores import ImageErrors, Rows
from .store import read_image_errors
from .tables import IMAGE_ERRORS

if TYPE_CHECKING:
    from mmengine.config import Config

Judged = dict[str, tuple[Rows, ImageErrors]]  # by set


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Ablation:
    """Variants of a method, trained over seeds and judged on clean and corrupted images.

    ValueError where names or seeds are not unique, or an argument has no sense.
    """

    variants: Sequence[Sequence[str]]  # name, config, KEY=VALUE overrides; first the baseline
    work_dir: Path  # a folder per variant and seed, and the tables
    root: Path  # of the repository, whose tools do the work
    seeds: Sequence[int] = (0, 1, 2)
    options: Sequence[str] = ()  # overrides of all variants
    amp: bool = False  # mixed precision
    judge: Sequence[str] = ()  # further arguments of `test_robustness.py`
    jobs: int = 1  # runs at a time
    shared_until: int | None = None  # until this iteration all runs of a seed are the baseline
    plan: Plan | None = None  # what stands above the tables
    sets: Mapping[str, Sequence[str]] = field(default_factory=lambda: {'': ()})  # see `Plan.sets`
    by_corruption: bool = False  # paired differences of every corruption, too
    _commands: Commands = field(init=False)
    _failed: dict[Path, str] = field(default_factory=dict)  # by folder of a run, why

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f'--jobs must be at least 1, got {self.jobs}')
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f'--seeds must differ, got {self.seeds}')
        names = [variant[0] for variant in self.variants]
        for variant in self.variants:
            if len(variant) < 2 or any('=' not in option for option in variant[2:]):
                said = ' '.join(variant)
                raise ValueError(f'--variant takes NAME CONFIG [KEY=VALUE ...], got {said}')
            if names.count(variant[0]) > 1 or '/' in variant[0]:
                raise ValueError(f'variant {variant[0]}: names must differ and hold no slash')
        if not names:
            raise ValueError('there is no variant: give CONFIG --variants, or --variant')
        object.__setattr__(self, '_commands', Commands(self.root, self.jobs > 1))

    def list_runs(self) -> list[Run]:
        """All runs, seed by seed, so that an interrupted comparison has whole seeds."""
        planned, first = [], None
        for name, config, *own in self.variants:
            options = [*self.options, *own]
            cfg = load_config(config, parse_options(options))
            first = first or cfg
            for how in self.sets.values():  # before the trainings, not after them
                load_config(config, parse_options([*options, *split_set(how)[0]]))
            if self.shared_until is not None:
                check_sharing(name, cfg, first, self.shared_until)
            planned.append((name, config, options, cfg.train_cfg.max_iters))
        return [
            Run(name, config, options, seed, self.work_dir / name / f'seed{seed}', iterations)
            for seed in self.seeds
            for name, config, options, iterations in planned
        ]

    def compare(self, dry_run: bool = False) -> None:
        """Do all runs (or only name them), with a table after each that has a baseline."""
        runs, begin = self.list_runs(), time.monotonic()
        scores: dict[str, dict[int, Judged]] = {}
        names = [variant[0] for variant in self.variants]
        about = [] if dry_run else self._note_plan()
        for line in about:
            print(line, flush=True)
        for run in runs:
            state = 'finished' if run.checkpoint.is_file() else 'to train'
            print(f'{run.variant}, seed {run.seed}: {state}', flush=True)
        for number, (run, judged) in enumerate(() if dry_run else self._work(runs), 1):
            scores.setdefault(run.variant, {})[run.seed] = judged
            minutes = (time.monotonic() - begin) / 60
            print(f'== {number}/{len(runs)}: {run.variant}, seed {run.seed}, {minutes:.1f} min')
            if names[0] in scores:
                by_set = {
                    test_set or 'test': {
                        name: {seed: scores[name][seed][test_set] for seed in sorted(scores[name])}
                        for name in names
                        if name in scores
                    }
                    for test_set in self.sets
                }
                how = (names[0], self.by_corruption, self.plan, about)
                print(write_ablation(self.work_dir, by_set, *how), flush=True)

    def _note_plan(self) -> list[str]:
        """Write the plan down before the first run; what to print of it."""
        settings = [*self.options, *self.judge, *['--amp'] * self.amp]
        settings += ['--shared-until', str(self.shared_until)] if self.shared_until else []
        results = len([*self.work_dir.glob('*/seed*/robustness/**/summary.json')])
        return note_plan(self.work_dir, self.plan, settings, results)

    def _work(self, runs: list[Run]) -> Iterator[tuple[Run, Judged]]:
        """Finished runs with their scores, as they come; trunks begin first. RuntimeError, when all
        others are done, where some failed."""
        first = self.variants[0][0]
        trunks = {run.seed: run for run in runs if self.shared_until and run.variant == first}
        order = sorted(runs, key=lambda run: run is not trunks.get(run.seed))
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                jobs = {pool.submit(self._finish, run, trunks.get(run.seed)): run for run in order}
                for job in as_completed(jobs):
                    run = jobs[job]
                    try:
                        yield run, job.result()
                    except RuntimeError as error:
                        self._failed[run.folder] = f'{run.variant}, seed {run.seed}: {error}'
                        print(f'== FAILED: {self._failed[run.folder]}', flush=True)
            except BaseException as error:
                # what is wrong for all ends them after the run at hand
                self._commands.stop(at_once=not isinstance(error, Exception))
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if self._failed:
            failed = '; '.join(self._failed.values())
            raise RuntimeError(
                f'{len(self._failed)} of {len(runs)} runs failed, the same command tries them '
                f'again: {failed}'
            )

    def _train(self, run: Run, trunk: Run | None = None) -> None:
        """Train, or go on; from its trunk's checkpoint where it has one and has not begun."""
        from mmscd.engine.run_folder import find_latest_checkpoint, note_validation

        made_of = dict(config=run.config, options=run.options, seed=run.seed, amp=self.amp)
        if trunk:
            made_of['shared'] = dict(
                until=self.shared_until, config=trunk.config, options=trunk.options
            )
        claim_folder(run.folder, made_of)
        if run.checkpoint.is_file():
            return
        options = [f'randomness.seed={run.seed}', *run.options]
        if trunk:
            if not find_latest_checkpoint(run.folder):
                source = trunk.folder / f'iter_{self.shared_until}.pth'
                self._await(source, trunk)
                atomic_write(run.folder / source.name, source.read_bytes())
                note_validation(run.folder, int(self.shared_until or 0))  # by the trunk
            # the checkpoint names the trunk's best one, which would be replaced by this run's
            options.append('default_hooks.checkpoint.save_best=None')
        print(f'== {run.variant}, seed {run.seed}: training', flush=True)
        command = ['tools/train.py', run.config, '--work-dir', str(run.folder), '--resume', 'auto']
        command += ['--amp'] * self.amp + ['--cfg-options', *options]
        self._commands.call(command, run.folder / 'console.log', f'{run.variant}/{run.seed}')
        if not run.checkpoint.is_file():
            raise RuntimeError(f'the training ended without {run.checkpoint}: see its console.log')

    def _await(self, checkpoint: Path, trunk: Run) -> None:
        """Wait until a run that is trained beside this one has written a checkpoint."""
        while not (checkpoint.is_file() or trunk.checkpoint.is_file()):
            if trunk.folder in self._failed:
                raise RuntimeError(f'it begins with {checkpoint}, whose training failed')
            if self._commands.stopped.wait(1):
                raise RuntimeError('stopped')

    def _finish(self, run: Run, trunk: Run | None) -> Judged:
        """Train one run, whose trunk is trained, to its end; how it was judged, by set."""
        self._train(run, None if trunk is run else trunk)
        return {name: self._judge(run, name, how) for name, how in self.sets.items()}

    def _judge(self, run: Run, test_set: str, how: Sequence[str]) -> tuple[Rows, ImageErrors]:
        """Scores by corruption of a trained run on a set, and its errors image by image."""
        overrides, further = split_set(how)
        out, options = run.folder / 'robustness' / test_set, [*run.options, *overrides]
        command = ['tools/analysis_tools/test_robustness.py', run.config, str(run.checkpoint)]
        command += ['--name', run.variant, '--out', str(out), *self.judge, *further]
        command += ['--cfg-options', *options] if options else []
        self._commands.call(command, run.folder / 'robustness.log')
        scores = {str: dict(abs_rel=(float, None), dee=(float, None))}
        models = {run.variant: dict(corruptions=scores)}
        content = read_json(out / 'summary.json', f'remove {out}', dict(models=models))
        rows = content['models'][run.variant]['corruptions']
        for row in rows.values():  # JSON has null for what was not computed
            row.update({key: math.nan for key, value in row.items() if value is None})
        return rows, read_image_errors(out / IMAGE_ERRORS, run.variant)


def split_set(how: Sequence[str]) -> tuple[list[str], list[str]]:
    """What a plan says of a set: overrides of the config, and options of `test_robustness.py`
    (entries like `--shifted data/demo_lab/shifted`, which come after those of the command)."""
    options = [entry for entry in how if entry.startswith('--')]
    overrides = [entry for entry in how if entry not in options]
    return overrides, [word for entry in options for word in entry.split()]


def read_variants(table: Path, config: str, names: Sequence[str]) -> list[list[str]]:
    """Variants as `Ablation` takes them; the table is YAML, overrides by name of a variant."""
    known = parse_yaml(read_text(table), str(table))
    check(known, {str: [str]}, table, 'write `name: [key=value, ...]`')
    check_names(f'variant ({table})', names, known)
    return [[name, config, *known[name]] for name in names]


def check_sharing(name: str, cfg: Config, first: Config, until: int) -> None:
    """Refuse a variant that cannot be the baseline, `first`, until an iteration.

    The baseline must keep a checkpoint of it; a resumed optimizer brings its settings along.
    """
    end, hook = first.train_cfg.max_iters, first.default_hooks.checkpoint
    saved = [*range(hook.interval, end, hook.interval), end]
    kept = saved[-hook.max_keep_ckpts :] if hook.get('max_keep_ckpts', -1) > 0 else saved
    if until not in kept[:-1] or until >= cfg.train_cfg.max_iters:
        raise ValueError(
            f'--shared-until {until}: of the {end} iterations of the baseline the checkpoints '
            f'{kept} remain; name one before the last, or change default_hooks.checkpoint'
        )
    for key in ('optim_wrapper', 'param_scheduler'):
        if cfg.get(key) != first.get(key):
            raise ValueError(
                f"--shared-until: {key} of {name} differs from the baseline's, which would stay "
                'in force; compare them in a call without --shared-until'
            )


def claim_folder(folder: Path, made_of: dict) -> None:
    """Refuse a folder that holds another experiment: was not made with `made_of`."""
    file = folder / 'run.json'
    if not file.is_file():
        write_json(file, made_of)
    elif (found := read_json(file, f'remove {file}', dict)) != made_of:
        raise ValueError(
            f'{folder} holds another experiment: {found}, wanted {made_of}; choose another '
            '--work-dir or name, or delete the folder'
        )

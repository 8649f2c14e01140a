"""Runs of an ablation: what they are, where they live, and where they begin."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmscd.utils.files import atomic_write, write_json

if TYPE_CHECKING:
    from mmengine.config import Config

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


def plan_runs(args: argparse.Namespace) -> list[Run]:
    """All runs, seed by seed, so that an interrupted comparison has whole seeds.

    Raises:
        ValueError: see `check_sharing`.
    """
    from mmengine.config import DictAction

    from mmscd.utils.config import load_config

    parser = argparse.ArgumentParser()
    parser.add_argument('--o', nargs='*', action=DictAction)
    variants, first = [], None
    for name, config, *options in args.variant:
        options = [*args.options, *options]
        cfg = load_config(config, parser.parse_args(['--o', *options]).o if options else None)
        first = first or cfg
        if args.shared_until is not None:
            check_sharing(name, cfg, first, args.shared_until)
        variants.append((name, config, options, cfg.train_cfg.max_iters))
    return [
        Run(name, config, options, seed, args.work_dir / name / f'seed{seed}', iterations)
        for seed in args.seeds
        for name, config, options, iterations in variants
    ]


def check_sharing(name: str, cfg: Config, first: Config, until: int) -> None:
    """Refuse what cannot share its beginning with the baseline.

    Args:
        name: of the variant.
        cfg: of the variant.
        first: of the baseline.
        until: iteration at which they part.

    Raises:
        ValueError: the baseline keeps no checkpoint of that iteration, or a resumed optimizer would
            bring the baseline's settings along.
    """
    end, hook = first.train_cfg.max_iters, first.default_hooks.checkpoint
    saved = [*range(hook.interval, end, hook.interval), end]
    kept = saved[-hook.max_keep_ckpts :] if hook.get('max_keep_ckpts', -1) > 0 else saved
    if until not in kept[:-1] or until >= cfg.train_cfg.max_iters:
        raise ValueError(
            f'--shared-until {until}: of the {end} iterations of the baseline the checkpoints '
            f'{kept} remain; name one before the last, or change default_hooks.checkpoint.interval '
            'or max_keep_ckpts'
        )
    for key in ('optim_wrapper', 'param_scheduler'):
        if cfg.get(key) != first.get(key):
            raise ValueError(
                f"--shared-until: {key} of {name} differs from the baseline's, and it would go on "
                "with the baseline's; compare them in a call without --shared-until"
            )


def claim_folder(run: Run, amp: bool, shared: dict | None = None) -> None:
    """Refuse a folder that holds another experiment.

    Raises:
        ValueError: config, options or precision differ from what the folder was made with.
    """
    wanted = dict(config=run.config, options=run.options, seed=run.seed, amp=amp)
    if shared:
        wanted['shared'] = shared
    file = run.folder / RUN_FILE
    if file.is_file():
        found = json.loads(file.read_text())
        if found != wanted:
            raise ValueError(
                f'{run.folder} holds another experiment: {found}, wanted {wanted}; choose another '
                '--work-dir or name, or delete the folder'
            )
    else:
        write_json(file, wanted)


def branch(run: Run, trunk: Run, iteration: int) -> None:
    """Let a run that has not begun go on from a checkpoint of another one."""
    from mmscd.engine import find_latest_checkpoint

    if not find_latest_checkpoint(run.folder):
        source = trunk.folder / f'iter_{iteration}.pth'
        atomic_write(run.folder / source.name, source.read_bytes())

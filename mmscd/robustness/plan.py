"""The plan of an ablation: written down before the first run, and printed above its tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmscd.utils.files import write_json
from mmscd.utils.names import check_names
from mmscd.utils.schema import check, read_json
from mmscd.utils.text import parse_yaml, read_text

from .paired import MEASURES
from .store import digest

_PLAN = {
    'question': str, 'variants': {str: [str]}, 'seeds': [int], 'sets?': {str: [str]},
    'seen?': [str], 'primary': str, 'refuted_if': str,
}  # fmt: skip
_VERSION = dict(date=str, hash=str, results=int, content=dict)
_MEND = 'see docs/en/user_guides/ablations.md for what a plan holds'


@dataclass(frozen=True)
class Plan:
    """What is asked, what is run for it, and what would say no."""

    question: str
    variants: list[list[str]]  # name, config, KEY=VALUE overrides of each, the baseline first
    seeds: list[int]
    primary: str  # the measure that decides
    refuted_if: str
    sets: dict[str, list[str]] = field(default_factory=dict)  # what tests on it, see `split_set`
    seen: list[str] = field(default_factory=list)  # sets looked at before: they confirm nothing


def read_plan(path: str | os.PathLike) -> Plan:
    """A plan in yaml; ValueError where a part is missing, unknown or misspelt."""
    content = parse_yaml(read_text(path), str(path))
    check(content, _PLAN, path, _MEND)
    check_names(f'entry of {path}', content, [key.rstrip('?') for key in _PLAN])
    check_names(f'primary measure in {path}', [content['primary']], MEASURES)
    variants = [[name, *how] for name, how in content['variants'].items()]
    plan = Plan(**dict(content, variants=variants))
    check_names(f'seen set in {path}', plan.seen, plan.sets)
    if odd := [name for name in plan.sets if '/' in name]:
        raise ValueError(f'{path}: the set {odd[0]!r} is the name of a folder: without a slash')
    return plan


def note_plan(folder: Path, plan: Plan | None, settings: Sequence[str], results: int) -> list[str]:
    """Write a plan into a work dir, or see that it is the one that stands there; what to print.

    Args:
        folder: of the ablation; `plan.json` in it has every version of the plan.
        plan: None: there is none.
        settings: further arguments of the command that numbers depend on.
        results: how many are in the folder already.

    Raises:
        ValueError: there is a plan in the folder, and now none is given.
    """
    path = folder / 'plan.json'
    versions = []
    if path.is_file():
        versions = read_json(path, f'remove {path}', dict(versions=[_VERSION]))['versions']
    if plan is None:
        if versions:
            raise ValueError(f'{folder} was begun with a plan: give it by --plan again')
        return ['no plan: what these numbers decide was not written down before the runs']
    content = dict(asdict(plan), command=[*settings])
    if not versions or versions[-1]['hash'] != digest(content):
        date = datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
        version = dict(date=date, hash=digest(content), results=results, content=content)
        versions.append(version)
        write_json(path, dict(versions=versions))
    return _describe(plan, versions)


def _describe(plan: Plan, versions: list[dict[str, Any]]) -> list[str]:
    """The plan in lines, with a mark for what was decided after there were results."""
    last = versions[-1]
    sets = [f'{name} (seen before)' if name in plan.seen else name for name in plan.sets]
    names, seeds = (', '.join(one) for one in ([v[0] for v in plan.variants], map(str, plan.seeds)))
    lines = [
        f'plan {last["hash"]} of {last["date"]}',
        f'question: {plan.question}',
        f'variants: {names}; seeds: {seeds}; sets: {", ".join(sets) or "that of the config"}',
        f'primary measure (*): {plan.primary}',
        f'refuted if: {plan.refuted_if}',
    ]
    if versions[0]['results']:
        lines.append(f'PLAN WRITTEN AFTER {versions[0]["results"]} results')
    for before, after in zip(versions, versions[1:], strict=False):
        keys = {**before['content'], **after['content']}
        parts = [k for k in keys if before['content'].get(k) != after['content'].get(k)]
        if after['results']:
            said = f'{after["results"]} results, on {after["date"]}: {", ".join(parts)}'
            lines.append(f'PLAN CHANGED AFTER {said}')
    return lines

"""Tries to break the tools, and prints what came of it; see docs/en/reliability.md.

Example: bash tools/run_campaign.sh --minutes 30 --seed 7
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import faults
import fuzz
import kills
import malicious
from readers import load_all

SECTIONS = ('malicious', 'faults', 'fuzz', 'kills')
COLUMNS = (
    'cases', 'ok', 'refused', 'unnamed', 'tracebacks', 'crashes', 'executed', 'left over', 'differ'
)  # fmt: skip


@dataclass
class Row:
    """What a section found: counts by column, and lines about what is not right."""

    section: str
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def count(self, kind: str) -> None:
        """One more case that ended so."""
        named = {k: k for k in ('ok', 'refused', 'unnamed', 'left over')}
        self.counts['cases'] += 1
        self.counts[dict(named, traceback='tracebacks').get(kind, 'crashes')] += 1

    def markdown(self) -> str:
        """A line of the table."""
        return f'| {" | ".join([self.section, *(str(self.counts[c]) for c in COLUMNS)])} |'


class Progress:
    """A line every few seconds, with the time that is left."""

    def __init__(self, name: str, total: float) -> None:
        self.name, self.total, self.begin, self.told = name, total, time.monotonic(), 0.0

    def __call__(self, done: float, said: str = '') -> None:
        now = time.monotonic() - self.begin
        if now - self.told > 10:
            self.told = now
            left = now * (self.total - done) / max(done, 1e-9)
            print(
                f'{self.name}: {done:.0f}/{self.total:.0f}, {left / 60:.1f} min left {said}',
                flush=True,
            )


def run_malicious(args: argparse.Namespace, work: Path) -> Row:
    """Files and names that try to run code."""
    fuzz.prepare(work)
    planned, row = list(malicious.attacks()), Row('malicious')
    row.wrong = [f'{name}: it would do no harm anywhere' for name in malicious.harmless(work)]
    progress = Progress('malicious', len(planned))
    for done, (name, reader, attack) in enumerate(planned, 1):
        outcome, made = malicious.run_attack(work, reader, attack)
        row.count(outcome.kind)
        if made:
            row.counts['executed'] += 1
        if made or outcome.kind in fuzz.WRONG:
            row.wrong.append(f'{name}: {outcome} {[path.name for path in made]}')
        progress(done, f'{len(row.wrong)} wrong')
    return row


def run_faults(args: argparse.Namespace, work: Path) -> Row:
    """No room, no right, no worker, no network, signals, a rival."""
    load_all()
    place, row = work / 'faults', Row('faults')
    place.mkdir(exist_ok=True)
    for name, problem in faults.faults(place, args.seed):
        row.counts['cases'] += 1
        if problem:
            row.wrong.append(f'{name}: {problem}')
        kind = next((k for k in ('unnamed', 'traceback', 'crash') if f"kind='{k}" in problem), '')
        row.counts[dict(traceback='tracebacks', crash='crashes').get(kind, kind or 'ok')] += 1
        print(f'faults: {name}: {problem[:300] or "right"}', flush=True)
    return row


def run_kills(args: argparse.Namespace, work: Path) -> Row:
    """Trainings that are killed and resumed."""
    shutil.rmtree(work / 'kills', ignore_errors=True)
    (work / 'kills').mkdir()
    load_all()
    trainings, row, done, number = kills.Kills(work / 'kills', args.seed), Row('kills'), 0, 0
    progress = Progress('kills', args.kills)
    while done < args.kills:
        count, problem = trainings.training(number, min(kills.LIVES, args.kills - done))
        done, number = done + count, number + 1
        row.counts['cases'] += count
        row.counts[_judge(problem)] += count
        if problem:
            row.wrong.append(f'training {number}: {problem}')
        progress(done, f'{len(row.wrong)} wrong')
    for name, problem in kills.other_tools(work / 'kills', args.seed, -(-args.kills // 10)):
        row.counts['cases'] += 1
        row.counts[_judge(problem)] += 1
        row.wrong += [f'{name}: {problem}'] * bool(problem)
        print(f'kills: {name}: {problem[:300] or "right"}', flush=True)
    print(f'kills by moment: {dict(trainings.kinds)}')
    return row


def _judge(problem: str) -> str:
    """Column of what a kill led to."""
    left = any(word in problem for word in ('hidden', 'files', 'left'))
    return 'left over' if left else 'differ' if problem else 'ok'


def run_fuzz(args: argparse.Namespace, work: Path) -> Row:
    """Spoilt files before every reader, until the time or the number is reached."""
    readers = fuzz.prepare(work, args.only)
    found, end = fuzz.Fuzz(work, args.seed), time.monotonic() + 60 * args.minutes
    progress = Progress('fuzz', args.cases)
    for number, reader in fuzz.schedule(readers):
        if number >= args.cases or (time.monotonic() > end and args.case is None):
            break
        if args.case is None or number == args.case:
            case = fuzz.run_case(work, number, reader, args.seed)
            found.add(case)
            if args.case is not None:
                print(case)
                break
        progress(number, f'{sum(found.counts[k] for k in fuzz.WRONG)} wrong')
    row = Row('fuzz', wrong=[f'{key} ({case.mutation})' for key, case in found.failures.items()])
    for kind in found.counts.elements():
        row.count(kind)
    return row


def main() -> None:
    """Run the sections; exit status 1 where anything is not right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--section', nargs='+', choices=SECTIONS, default=SECTIONS)
    add('--seed', type=int, default=int(time.time()) % 100_000, help='default: of the clock')
    add('--minutes', type=float, default=30, help='for the fuzz at most')
    add('--cases', type=int, default=2000, help='of the fuzz')
    add('--kills', type=int, default=100)
    add('--only', default='', help='readers with this in their names')
    add('--case', type=int, help='this case of the fuzz alone; needs --seed')
    add('--work-dir', type=Path, default=Path('work_dirs/campaign'))
    args = parser.parse_args()
    work = args.work_dir.resolve()
    for name in ('failures', 'case'):
        shutil.rmtree(work / name, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    begin, rows = time.monotonic(), []
    for section in args.section:
        row = globals()[f'run_{section}'](args, work)
        rows.append(row)
        for line in row.wrong:
            print(f'WRONG {section}: {line}', flush=True)
    print(f'\nSeed {args.seed}, {(time.monotonic() - begin) / 60:.0f} minutes.\n')
    print(
        '\n'.join(['| section | ' + ' | '.join(COLUMNS) + ' |', '|---' * (1 + len(COLUMNS)) + '|'])
    )
    print('\n'.join(row.markdown() for row in rows))
    stored = [dict(section=row.section, **row.counts, wrong=row.wrong) for row in rows]
    (work / 'campaign.json').write_text(json.dumps(dict(seed=args.seed, sections=stored), indent=1))
    sys.exit(any(row.wrong for row in rows))


if __name__ == '__main__':
    main()

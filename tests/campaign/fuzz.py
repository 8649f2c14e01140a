"""Spoilt files before every reader: a case is a function of the seed and its number."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isolate import Outcome, name_check, run_isolated
from mutations import spoil
from readers import READERS, Reader, load_all

WRONG = ('unnamed', 'not finite', 'traceback', 'memory', 'timeout', 'crash', 'left over')


@dataclass(frozen=True)
class Case:
    """One spoilt file and what became of it."""

    number: int
    reader: str
    mutation: str
    outcome: Outcome
    file: Path


def prepare(work: Path, only: str = '') -> list[Reader]:
    """Valid inputs of all readers (of those with `only` in their names), each accepted."""
    load_all()
    readers = [reader for reader in READERS.values() if only in reader.name]
    made: dict[object, Path] = {}
    for reader in readers:
        folder = _folder(work, reader)
        shutil.rmtree(folder, ignore_errors=True)
        if reader.make not in made:
            # at the place where it is read: some files hold their own path
            place = work / 'case'
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            _demand(run_isolated(partial(reader.make, place), work / 'log'), reader)
            folder.parent.mkdir(parents=True, exist_ok=True)
            place.rename(folder)
            made[reader.make] = folder
        else:
            shutil.copytree(made[reader.make], folder, copy_function=os.link)
    for reader in readers:
        target = copy_input(work, reader)
        _demand(run_isolated(partial(reader.read, target), work / 'log'), reader)
    return readers


def _demand(outcome: Outcome, reader: Reader) -> None:
    if outcome.kind != 'ok':
        raise RuntimeError(f'{reader.name}: its own valid input is not accepted: {outcome}')


def _folder(work: Path, reader: Reader) -> Path:
    return work / 'inputs' / reader.name.replace(' ', '_')


def copy_input(work: Path, reader: Reader) -> Path:
    """A fresh copy of a reader's valid input; its files are links, to be replaced."""
    target = work / 'case'
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(_folder(work, reader), target, copy_function=os.link)
    return target


def schedule(readers: list[Reader]) -> Iterator[tuple[int, Reader]]:
    """Case numbers and readers, round after round; slow ones not in every round."""
    number, turn = 0, 0
    while True:
        for place, reader in enumerate(readers):
            if (turn + place) % reader.sparse == 0:
                yield number, reader
                number += 1
        turn += 1


def run_case(work: Path, number: int, reader: Reader, seed: int) -> Case:
    """Spoil one file of a reader's input and read it."""
    rng = random.Random(f'{seed}:{number}')
    folder = copy_input(work, reader)
    target = rng.choice(reader.targets(folder))
    data = target.read_bytes()
    target.unlink()
    if rng.random() < 0.03:
        mutation = 'a folder'
        target.mkdir()
    else:
        mutation, spoilt = spoil(reader.kind, data, rng)
        target.write_bytes(spoilt)
    before = {path for path in folder.rglob('*')}
    around = set(work.iterdir())
    outcome = run_isolated(lambda: reader.read(folder), work / 'log')
    outcome = name_check(outcome, (target.name, *reader.also))
    rest = [p for p in set(folder.rglob('*')) - before if p.name.startswith('.') and p.is_file()]
    rest += [p for p in set(work.iterdir()) - around if p.name not in ('log', 'log.json')]
    if rest and outcome.kind in ('ok', 'refused'):
        outcome = Outcome('left over', f'{rest[0].name}, after: {outcome.text}', outcome.place)
    return Case(number, reader.name, mutation, outcome, target)


class Fuzz:
    """Cases, counted, with the smallest failing input of each fault."""

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self.seed = work, seed
        self.counts: Counter[str] = Counter()
        self.failures: dict[str, Case] = {}

    def add(self, case: Case) -> None:
        """Count, and keep a failing input if it is the smallest of its kind."""
        self.counts[case.outcome.kind] += 1
        if case.outcome.kind not in WRONG:
            return
        error = re.sub(r'\W.*', '', case.outcome.text)[:30]
        key = f'{case.reader} {case.outcome.kind} {case.outcome.place or error}'
        place = self.work / 'failures' / re.sub(r'[^\w.]+', '_', key)
        kept = place / case.file.name
        if case.file.is_file() and not (
            kept.is_file() and kept.stat().st_size <= case.file.stat().st_size
        ):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(case.file, kept)
        place.mkdir(parents=True, exist_ok=True)
        if key not in self.failures:
            self.failures[key] = case
            (place / 'why.txt').write_text(
                f'{case.reader}: {case.mutation}\n{case.outcome}\n'
                f'again: --section fuzz --seed {self.seed} --case {case.number}\n'
            )

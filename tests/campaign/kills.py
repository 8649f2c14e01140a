"""Trainings that are killed again and again, and end as if nothing had been."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from isolate import run_isolated
from readers import call
from tiny import make_config, make_kitti
from writers import WRITERS, Writer

from mmscd.report.training_log import read_log

STEERED = ('write', 'rename', 'remove', 'validate')
LIVES = 10  # kills of one training
CLOCKS = ('time', 'memory', 'eta', 'cfg', 'config', 'work_dir')


class Steering:
    """Counts the moments of each kind in a run, and ends it by SIGKILL at one of them."""

    def __init__(self, folder: Path, kind: str = '', at: int = 0) -> None:
        self.folder, self.kind, self.at = str(folder), kind, at
        self.counts: Counter[str] = Counter()

    def moment(self, kind: str) -> None:
        """One more of a kind."""
        for name in (kind, 'moment'):
            self.counts[name] += 1
            if name == self.kind and self.counts[name] == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Watch what is done to files of the folder, and the steps of the validation."""
        from mmengine.runner import ValLoop

        for name, kind in dict(
            replace='rename', rename='rename', remove='remove', unlink='remove'
        ).items():
            setattr(os, name, self._around(getattr(os, name), kind))
        sync, step = os.fsync, ValLoop.run_iter

        def half_written(handle: int) -> None:
            path = os.readlink(f'/proc/self/fd/{handle}')
            if path.startswith(self.folder):
                if self.kind == 'write' and self.counts['write'] + 1 == self.at:
                    os.ftruncate(handle, os.fstat(handle).st_size // 2)
                self.moment('write')
            sync(handle)

        def validated(loop: Any, *args: Any, **options: Any) -> Any:
            self.moment('validate')
            return step(loop, *args, **options)

        os.fsync, ValLoop.run_iter = half_written, validated

    def _around(self, function: Callable, kind: str) -> Callable:
        def watched(path: Any, *args: Any, **options: Any) -> Any:
            inside = str(path).startswith(self.folder)
            if inside:
                self.moment(kind)
            result = function(path, *args, **options)
            if inside:
                self.moment(kind)
            return result

        return watched


def train(config: Path, work: Path, steering: Steering, seconds: float = 0.0) -> None:
    """One life of a training, perhaps ended from outside after some seconds."""
    steering.install()
    if seconds:
        killer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        killer.daemon = True
        killer.start()
    call('tools/train.py', config, '--work-dir', work, '--resume', 'auto')
    print(f'COUNTS {dict(steering.counts)}')


def same(a: Any, b: Any) -> str:
    """Where two nested contents differ, '' where they are equal to the last bit; clocks may."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if set(a) != set(b):
            return f'keys {sorted(map(str, set(a) ^ set(b)))}'
        kept = [key for key in a if not any(word in str(key) for word in CLOCKS)]
        found = (f'{key}: {told}' for key in kept if (told := same(a[key], b[key])))
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return f'{len(a)} and {len(b)} values'
        found = (told for x, y in zip(a, b, strict=True) if (told := same(x, y)))
    elif isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return '' if torch.equal(a.nan_to_num(), b.nan_to_num()) else 'other numbers'
    else:
        return '' if a == b or (a != a and b != b) else f'{a!r:.40} and {b!r:.40}'
    return next(found, '')


def snapshot(work: Path) -> dict[str, Any]:
    """All that a training leaves, but the clock: checkpoints, scalars, names of files."""
    files = [path for path in work.rglob('*') if path.is_file()]
    names = [str(path.relative_to(work)) for path in files]
    # each start has a folder with the time in its name
    left: dict[str, Any] = {'files': sorted(name for name in names if not name.startswith('20'))}
    left['hidden'] = [name for name in names if '/.' in f'/{name}']
    left['scalars'] = [
        {k: v for k, v in row.items() if not any(word in k for word in CLOCKS)}
        for row in read_log(work)
    ]
    for path in sorted(work.glob('*.pth')):
        left[path.name] = torch.load(path, weights_only=True)
    for path in sorted((work / 'vis').rglob('*.*')):
        left[path.name] = path.read_bytes()
    left['last_checkpoint'] = (work / 'last_checkpoint').read_text().rsplit('/', 1)[-1]
    return left


class Kills:
    """Kills of trainings: `lives` each, half of them steered into the worst moments."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(f'kills:{seed}')
        self.config = make_config(folder, make_kitti(folder / 'kitti'))
        self.whole = folder / 'whole'
        log = folder / 'log'
        outcome = run_isolated(
            partial(train, self.config, self.whole, Steering(self.whole)), log, 300, None
        )
        said = [line for line in log.read_text().splitlines() if line.startswith('COUNTS')]
        if outcome.kind != 'ok' or not said:
            raise RuntimeError(f'the training without kills failed: {outcome}')
        self.counts: dict[str, int] = eval(said[0].split(' ', 1)[1])
        self.reference = snapshot(self.whole)
        self.kinds: Counter[str] = Counter()

    def life(self, work: Path) -> str:
        """One life with a death in it; what went wrong, '' where it died or ended well."""
        kind = self.rng.choice([*STEERED, 'any', 'any', 'any', 'any'])
        seconds = self.rng.uniform(0.3, 3.0) if kind == 'any' else 0.0
        # early, so that much is left to be killed
        at = self.rng.randint(1, max(1, self.counts.get(kind, 1) // 3))
        life = partial(train, self.config, work, Steering(work, kind, at), seconds)
        outcome = run_isolated(life, self.folder / 'log', 300, None)
        if outcome.kind == 'crash':
            self.kinds[kind] += 1
            return ''
        return '' if outcome.kind == 'ok' else f'killed in {kind}: {outcome}'

    def training(self, number: int, lives: int) -> tuple[int, str]:
        """Kill one training so often, let it end; (kills, what differs from the undisturbed)."""
        work = self.folder / f'killed{number}'
        kills = 0
        for _ in range(3 * lives):
            before = sum(self.kinds.values())
            if problem := self.life(work):
                return kills, problem
            died = sum(self.kinds.values()) > before
            kills += died
            if kills == lives or not died:
                break
        last = partial(train, self.config, work, Steering(work))
        outcome = run_isolated(last, self.folder / 'log', 300, None)
        if outcome.kind != 'ok':
            return kills, f'does not end: {outcome}'
        return kills, same(self.reference, snapshot(work))


def _content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob('*') if p.is_file()}


def _write(writer: Writer, folder: Path, steering: Steering) -> None:
    steering.install()
    writer.write(folder / 'input', folder / 'out')
    print(f'COUNTS {dict(steering.counts)}')


def other_tools(folder: Path, seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Kill each tool that goes on at a random write or rename, let it run again; (tool, what
    differs from the undisturbed)."""
    rng = random.Random(f'tools:{seed}')
    names = [name for name, writer in WRITERS.items() if writer.goes_on]
    for turn in range(count):
        writer, place = WRITERS[name := names[turn % len(names)]], folder / f'tool{turn}'
        (place / 'input').mkdir(parents=True)
        log, out = place / 'log', place / 'out'
        run_isolated(lambda w=writer, p=place: w.make(p / 'input'), log, 300, None)
        run_isolated(partial(_write, writer, place, Steering(place)), log, 300, None)
        said = [line for line in log.read_text().splitlines() if line.startswith('COUNTS')]
        moments = eval(said[0].split(' ', 1)[1])['moment'] if said else 1
        whole = _content(out)
        shutil.rmtree(out, ignore_errors=True)
        steering = Steering(place, 'moment', rng.randint(1, moments))
        died = run_isolated(partial(_write, writer, place, steering), log, 300, None)
        again = run_isolated(partial(_write, writer, place, Steering(place)), log, 300, None)
        if died.kind != 'crash' or again.kind != 'ok' or not whole:
            yield name, f'killed: {died}; again: {again}'
            continue
        rest = [p for p in _content(out) if '/.' in f'/{p}']
        yield name, f'left {rest}' if rest else same(whole, _content(out))

"""What the machine does to a tool: no room, no right, no worker, no network, signals, a rival."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from isolate import Outcome, run_isolated
from kills import same, snapshot
from readers import call
from tiny import ROOT, make_config, make_kitti
from writers import WRITERS, Writer

URL = 'https://download.pytorch.org/models/resnet18-f37072fd.pth'


@contextmanager
def _disk(folder: Path, options: str) -> Iterator[None]:
    """A small file system at a folder, for those who may mount one."""
    subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'none', folder], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', folder], check=True)


def may_mount(work: Path) -> bool:
    """Whether a full disk can be had."""
    (work / 'disk').mkdir(exist_ok=True)
    try:
        with _disk(work / 'disk', 'size=16k'):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full(work: Path, writer: Writer) -> str:
    """A disk without a byte left: one sentence that names the place, and nothing half-written."""
    with _disk(work / 'disk', 'size=16k'):
        (work / 'disk/filler').write_bytes(bytes(16384))
        outcome = run_isolated(
            lambda: writer.write(work / 'input', work / 'disk/out'), work / 'log'
        )
        rest = [p for p in (work / 'disk').rglob('*') if p.is_file() and p.name.startswith('.')]
    return _judge(outcome, 'disk') or (f'left {rest[0].name}' if rest else '')


def read_only(work: Path, writer: Writer) -> str:
    """A file system that takes nothing."""
    with _disk(work / 'disk', 'size=16k,ro'):
        outcome = run_isolated(
            lambda: writer.write(work / 'input', work / 'disk/out'), work / 'log'
        )
    return _judge(outcome, 'disk')


def _judge(outcome: Outcome, *words: str) -> str:
    """'' for one sentence with all of these words, else what came."""
    good = outcome.kind == 'refused' and all(word in outcome.text for word in words)
    return '' if good and outcome.text.count('\n') < 3 else f'{outcome}'


def _children() -> list[int]:
    found = []
    for path in Path(f'/proc/{os.getpid()}/task').glob('*/children'):
        found += [int(word) for word in path.read_text().split()]
    return found


def _kill_a_child() -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in _children():
            if b'resource_tracker' not in Path(f'/proc/{child}/cmdline').read_bytes():
                time.sleep(0.05)
                os.kill(child, signal.SIGKILL)
                return
        time.sleep(0.002)


def dead_worker(work: Path, writer: Writer) -> str:
    """A process of a pool that somebody kills."""

    def write() -> Any:
        threading.Thread(target=_kill_a_child, daemon=True).start()
        return writer.write(work / 'input', work / 'out')

    outcome = run_isolated(write, work / 'log', seconds=90)
    return '' if outcome.kind == 'ok' else _judge(outcome)


def _offline(call_of_it: Callable[[], Any], home: Path) -> Any:
    def refuse(*args: Any, **options: Any) -> Any:
        raise OSError(101, 'Network is unreachable')

    socket.socket.connect = socket.getaddrinfo = refuse  # type: ignore
    os.environ.update(TORCH_HOME=str(home), MMENGINE_HOME=str(home), XDG_CACHE_HOME=str(home))
    return call_of_it()


def _without_network(work: Path) -> Iterator[tuple[str, Callable[[], Any], tuple[str, ...]]]:
    from mmscd import DepthInferencer
    from mmscd.models.teachers import MMSegTeacher

    config = make_config(work, make_kitti(work / 'kitti'))
    initial = (
        'model.backbone.init_cfg.type=Pretrained',
        f'model.backbone.init_cfg.checkpoint={URL}',
    )
    words = (config, '--work-dir', work / 'out', '--cfg-options', *initial)
    segmentor = 'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py'
    yield 'initial weights', lambda: call('tools/train.py', *words), (URL,)
    yield 'weights', lambda: DepthInferencer(str(config), URL, 'cpu'), (URL,)
    yield 'teacher', lambda: MMSegTeacher(segmentor, 'auto', needs_logits=True), ('https://',)
    splits = 'tools/dataset_converters/prepare_kitti_splits.py'
    yield 'splits', lambda: call(splits, '--out', work / 'splits'), ('https://',)


def _train_with_signal(config: Path, work: Path, number: int, at: int) -> Any:
    """A signal after an iteration."""
    from mmscd.engine.hooks import IterationSeedHook

    before = IterationSeedHook.before_train_iter

    def hit(hook: Any, runner: Any, *args: Any, **options: Any) -> Any:
        if runner.iter == at:
            os.kill(os.getpid(), number)
        return before(hook, runner, *args, **options)

    IterationSeedHook.before_train_iter = hit
    return call('tools/train.py', config, '--work-dir', work, '--resume', 'auto')


def signalled(work: Path, number: int, status: int, at: int) -> str:
    """The signal's own exit status, and the same command goes on as if nothing had been."""
    config, rest = make_config(work, make_kitti(work / 'kitti')), []
    train = partial(call, 'tools/train.py', config, '--resume', 'auto', '--work-dir')
    run_isolated(lambda: train(work / 'whole'), work / 'log', memory=None)
    hit = partial(_train_with_signal, config, work / 'hit', number, at)
    outcome = run_isolated(hit, work / 'log', memory=None)
    if outcome.kind != 'refused' or f'exit {status}' not in outcome.text:
        rest.append(f'expected exit status {status}: {outcome}')
    outcome = run_isolated(lambda: train(work / 'hit'), work / 'log', memory=None)
    if outcome.kind != 'ok':
        return f'does not go on: {outcome}'
    return '; '.join(
        [*rest, *filter(None, [same(snapshot(work / 'whole'), snapshot(work / 'hit'))])]
    )


def rival(work: Path) -> str:
    """A second training in the same folder."""
    config = make_config(work, make_kitti(work / 'kitti'))
    words = (config, '--work-dir', work / 'out')
    command = [
        sys.executable,
        'tools/train.py',
        *map(str, words),
        '--cfg-options',
        'train_cfg.max_iters=100000',
    ]
    path = os.environ.get('PYTHONPATH', '')
    first = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | dict(PYTHONPATH=f'{Path(__file__).parent}{os.pathsep}{path}'),
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not list((work / 'out').glob('iter_*.pth')) and time.monotonic() < end:
            time.sleep(0.2)
        outcome = run_isolated(lambda: call('tools/train.py', *words), work / 'log', memory=None)
    finally:
        first.kill()
        first.wait()
    return _judge(outcome, 'out')


def faults(work: Path, seed: int) -> Iterator[tuple[str, str]]:
    """(what was done, what is wrong with the answer)."""
    rng = random.Random(f'faults:{seed}')
    mounting = may_mount(work)
    for name, writer in WRITERS.items():
        for fault in (full, read_only) if mounting else ():
            _fresh(work, writer)
            yield f'{fault.__name__} {name}', fault(work, writer)
        if name in ('make_kitti_c', 'cache', 'render'):
            _fresh(work, writer)
            yield f'dead worker {name}', dead_worker(work, writer)
    _fresh(work)
    for name, ask, words in _without_network(work):
        outcome = run_isolated(partial(_offline, ask, work / 'home'), work / 'log', memory=None)
        yield f'no network {name}', _judge(outcome, *words)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        _fresh(work)
        yield f'{number.name} train', signalled(work, number, status, rng.randint(1, 10))
    _fresh(work)
    yield 'two trainings in a folder', rival(work)


def _fresh(work: Path, writer: Writer | None = None) -> None:
    """An empty folder, with a writer's input."""
    for path in work.iterdir():
        if path.name != 'disk':
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (work / 'input').mkdir()
    if writer is not None:
        outcome = run_isolated(lambda: writer.make(work / 'input'), work / 'log', memory=None)
        assert outcome.kind == 'ok', outcome

"""A training ends on a signal or before a deadline with nothing lost."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmscd.engine import StopHook
from mmscd.engine.hooks import stop_hook

ROOT = Path(__file__).resolve().parents[2]
ITERATE = ['mmengine.hooks', 'CheckpointHook', 'after_train_iter']
VALIDATE = ['mmengine.runner.loops', 'ValLoop', 'run_iter']


def test_signals_end_between_iterations_and_the_rest_is_exact(train, whole, same_folder, tmp_path):
    begin = ['mmengine.runner.loops', 'IterBasedTrainLoop', 'run']
    statuses, output = train(
        dict(folder=tmp_path, at=begin, signals=['SIGTERM']),
        dict(folder=tmp_path, at=ITERATE, signals=['SIGINT', 'SIGINT']),
        dict(folder=tmp_path, at=ITERATE, signals=['SIGTERM', 'SIGTERM']),
        dict(folder=tmp_path, at=VALIDATE, nth=2, signals=['SIGINT']),
        dict(folder=tmp_path),
    )
    assert statuses == [143, 130, 143, 130, 0], output[-3000:]
    assert output.count('No checkpoint in') == 3, 'nothing is saved before the first iteration'
    said = [line for line in output.splitlines() if 'stopped by' in line]
    assert said.pop(0) == 'stopped by Ctrl-C', 'the second one ends at once'
    for line, (done, name) in zip(said, [(1, 'SIGTERM'), (2, 'SIGINT')], strict=True):
        assert f'WARNING - Iteration {done}: stopped by {name}; ' in line
        assert f'the state is in {tmp_path}/iter_{done}.pth; go on with: python tools/' in line
        assert line.endswith('--resume auto')
    assert 'The validation after 2 was not finished' in output
    same_folder(tmp_path, whole)


@pytest.mark.slow
def test_a_deadline_ends_with_its_own_status(train, whole, same_folder, tmp_path):
    more = ['--time-limit', '1s']
    statuses, output = train(dict(folder=tmp_path, more=more), dict(folder=tmp_path))
    assert statuses == [124, 0], output[-3000:]
    assert re.search(r'Iteration [123]: stopped by the time limit; .* go on with: .*', output)
    same_folder(tmp_path, whole)


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on(tiny_config, run_tool, tmp_path):
    """torchrun passes SIGTERM on; no process is left behind in a collective call."""
    options = ['--no-validate', '--cfg-options', 'train_cfg.max_iters=400']
    options += ['default_hooks.logger.interval=5', 'default_hooks.checkpoint.interval=400']
    command = ['bash', 'tools/dist_train.sh', tiny_config, '2', '--work-dir', tmp_path / 'w']
    environment = os.environ | {'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1'}
    with (tmp_path / 'log').open('w') as log:
        process = subprocess.Popen(
            [str(word) for word in [*command, *options]],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        while 'Iter(train)' not in (tmp_path / 'log').read_text():
            assert process.poll() is None, (tmp_path / 'log').read_text()[-3000:]
            time.sleep(0.1)
        process.terminate()
        process.wait(60)
    output = (tmp_path / 'log').read_text()
    (saved,) = (tmp_path / 'w').glob('iter_*.pth')
    done = int(saved.stem.split('_')[1])
    assert done % 5 == 0 and f'Iteration {done}: stopped by SIGTERM' in output
    options[options.index('train_cfg.max_iters=400')] = f'train_cfg.max_iters={done + 2}'
    run_tool(*command, '--resume', *options, env={'OMP_NUM_THREADS': '1'})
    names = [file.name for file in (tmp_path / 'w').glob('*.pth')]
    assert names == [f'iter_{done + 2}.pth']


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(stop_hook.time, 'monotonic', lambda: now[0])
    return now


def run(hook, clock, seconds, accumulated=1):
    """The iteration that a training of such iterations ends with."""
    runner = SimpleNamespace(iter=0, max_iters=1000, hooks=[], work_dir='.')
    runner.optim_wrapper = SimpleNamespace(_accumulative_counts=accumulated)
    runner.logger = SimpleNamespace(warning=lambda text: None)
    for step in seconds:
        hook.before_train_iter(runner, runner.iter)
        clock[0] += step
        try:
            hook.after_train_iter(runner, runner.iter)
        except SystemExit as end:
            return runner.iter + 1, end.code
        runner.iter += 1
    return None


def test_a_deadline_leaves_time_for_the_longest_iteration(clock):
    clock[0] = 50
    # one more as long as the third, which wrote a checkpoint, and 1 are left at 95 no more
    assert run(StopHook(100, begin=0), clock, [10, 1, 5, *[1] * 100]) == (32, 124)
    assert clock[0] == 95
    assert run(StopHook(None), clock, [10] * 50) is None


def test_accumulated_gradients_are_not_left_behind(clock):
    hook = StopHook()
    hook._received = 15
    assert run(hook, clock, [1] * 9, accumulated=4) == (4, 143)


@pytest.mark.parametrize(
    'words, expected',
    [
        ('python tools/train.py a.py', 'python tools/train.py a.py --resume auto'),
        ('python t.py a.py --resume', 'python t.py a.py --resume auto'),
        ("python t.py --resume x/iter_1.pth 'a b.py'", "python t.py 'a b.py' --resume auto"),
        ('python t.py a.py --resume --amp', 'python t.py a.py --amp --resume auto'),
        ('python t.py a.py --resume=auto', 'python t.py a.py --resume auto'),
    ],
)
def test_the_command_that_goes_on(words, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(stop_hook.sys, 'orig_argv', shlex.split(words))
    assert stop_hook.resume_command(str(tmp_path), 'x/iter_5.pth', 5) == expected
    (tmp_path / 'iter_9.pth').touch()  # auto would take it
    command = stop_hook.resume_command(str(tmp_path), 'x/iter_5.pth', 5)
    assert command == re.sub('auto$', 'x/iter_5.pth', expected)

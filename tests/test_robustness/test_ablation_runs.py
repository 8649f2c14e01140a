"""An ablation that ends takes its trainings with it; a run that fails takes no other."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmscd.robustness.ablation_runs import Ablation, Run, split_set

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import sys
from pathlib import Path
from mmscd.robustness.ablation_runs import Ablation, Run

class Quick(Ablation):
    def _finish(self, run, trunk):
        self._commands.call([sys.argv[1]], Path(sys.argv[2]))

folder = Path(sys.argv[1]).parent
quick = Quick(variants=[['a', 'x']], work_dir=folder, root=folder)
list(quick._work([Run('a', 'x', [], 0, folder, 1)]))
"""
# like a training: it needs a moment for its checkpoint
TRAINING = """
import os, signal, sys, time
def stop(number, frame):
    time.sleep(0.5)
    open('saved', 'w').write(str(number))
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGKILL'])
def test_its_end_ends_the_training(name, tmp_path):
    script, log = tmp_path / 'training.py', tmp_path / 'log'
    script.write_text(TRAINING)
    command = [sys.executable, '-c', DRIVER, script, log]
    # sessions of their own: no signal reaches the training but through the ablation's end
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as ablation:
        while not (log.is_file() and log.read_text().endswith('\n')):
            assert ablation.poll() is None
            time.sleep(0.05)
        training = int(log.read_text())
        ablation.send_signal(getattr(signal, name))
        ablation.wait(20)
    begin = time.monotonic()
    while Path('/proc', str(training)).exists():
        assert time.monotonic() - begin < 10, 'the training goes on alone'
        time.sleep(0.05)
    assert (tmp_path / 'saved').read_text() == str(int(signal.SIGTERM))
    with pytest.raises(ProcessLookupError):
        os.kill(training, 0)


SCRIPT = """
import sys
print('Iter(train) [1/2]  eta: 0:00:01  loss: 0.5')
sys.exit('bad' in sys.argv)
"""


class Scripted(Ablation):
    """Runs are scripts: one that is called `bad` fails."""

    def _finish(self, run, trunk):
        if trunk is not None and trunk is not run:
            self._await(trunk.folder / 'iter_1.pth', trunk)
        self._commands.call(['work.py', run.variant], run.folder / 'log', run.variant)
        return run.variant


def scripted(folder, names, **options):
    (folder / 'work.py').write_text(SCRIPT)
    variants = [[name, 'config'] for name in names]
    runs = [Run(name, 'config', [], 0, folder / name, 2) for name in names]
    return Scripted(variants=variants, work_dir=folder, root=folder, **options), runs


@pytest.mark.parametrize('jobs', [1, 3])
def test_a_failed_run_takes_no_other(jobs, tmp_path, capsys):
    ablation, runs = scripted(tmp_path, ['base', 'bad', 'good', 'more'], jobs=jobs)
    done = []
    with pytest.raises(
        RuntimeError,
        match='1 of 4 runs failed.*bad, seed 0: work.py bad failed with 1: see .*bad/log',
    ):
        for run, _ in ablation._work(runs):
            done.append(run.variant)
    assert sorted(done) == ['base', 'good', 'more']
    shown = capsys.readouterr().out
    assert '== FAILED: bad, seed 0' in shown
    assert ('1/2' in shown) and ('loss 0.5' in shown) == (jobs == 1)


def test_branches_of_a_failed_trunk_say_so(tmp_path):
    ablation, runs = scripted(tmp_path, ['bad', 'good', 'more'], jobs=2, shared_until=1)
    with pytest.raises(RuntimeError, match='3 of 3 runs failed.*begins with .*bad/iter_1.pth'):
        list(ablation._work(runs))


def test_a_set_has_overrides_and_options():
    how = ['a.b=1', '--corruptions', '--severities 1 2', 'c=--d']
    assert split_set(how) == (['a.b=1', 'c=--d'], ['--corruptions', '--severities', '1', '2'])
    assert split_set(()) == ([], [])

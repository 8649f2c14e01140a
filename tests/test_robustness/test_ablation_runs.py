"""An ablation that ends takes its trainings with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import sys
from pathlib import Path
from mmscd.robustness.ablation_runs import Ablation, Run

class Quick(Ablation):
    def _finish(self, run, trunk):
        self._call([sys.argv[1]], Path(sys.argv[2]), False)

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

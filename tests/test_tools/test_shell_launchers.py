"""The shell scripts that start several processes refuse a wrong number of them."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize('count', ['0', '-1', 'cpu', '', '1.5'])
@pytest.mark.parametrize(
    ('script', 'words'),
    [('dist_train.sh', ['config.py']), ('dist_test.sh', ['config.py', 'weights.pth'])],
)
def test_number_of_processes(script, words, count):
    command = ['bash', f'tools/{script}', *words, count]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith('GPUS is the number of processes, at least 1')
    assert f"got '{count}'; usage: tools/{script} CONFIG" in line


@pytest.mark.parametrize('name', ['GPUS', 'GPUS_PER_NODE'])
def test_number_of_processes_under_slurm(name):
    result = subprocess.run(
        ['bash', 'tools/slurm_train.sh', 'partition', 'job', 'config.py'],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, name: '0'},
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith(f'{name} is the number of processes')

"""The check of a machine with a GPU: its limits, its table, and that it works without one."""

import argparse
import json
import sys
import time
from pathlib import Path

import pytest
import torch

from tools.analysis_tools import gpu_check
from tools.dataset_converters import pack_frames


@pytest.fixture(scope='module')
def packed(tiny_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('packed')
    pack_frames.main([str(folder / 'frames'), '--config', str(tiny_config), '--size', '64x64'])
    return folder


@pytest.fixture
def check(packed, tmp_path):
    args = argparse.Namespace(
        out=tmp_path, folder=packed, device='cpu', quick=True, limit=gpu_check.LIMIT
    )
    (tmp_path / 'scratch').mkdir()
    return gpu_check.Check(args, tmp_path / 'scratch')


def side(ms, **more):
    row = dict(median_ms=ms, samples_per_second=1000 / ms, waiting=None, shares=None)
    return row | dict(operations=None) | more


def test_what_is_missing_is_said_first(run_tool, packed, tmp_path):
    result = run_tool('bash', 'tools/gpu_check.sh', tmp_path, check=False)
    assert result.returncode == 1 and f'there is no {tmp_path}/frames' in result.stderr
    assert 'bash tools/gpu_check.sh --pack FOLDER' in result.stderr
    if not torch.cuda.is_available():
        result = run_tool('bash', 'tools/gpu_check.sh', packed, '--out', tmp_path, check=False)
        assert result.returncode == 1 and '--device cpu --quick' in result.stderr


def test_a_step_that_hangs_or_fails_is_noted(check, tmp_path):
    begin, left = time.monotonic(), tmp_path / 'left'
    script = 'import subprocess, sys; subprocess.Popen([sys.executable, "-c", {!r}]).wait()'
    child = f'import time; time.sleep(4); open({str(left)!r}, "w")'
    assert check.call(['-c', script.format(child)], 1) == 'stopped after 1 s'
    assert time.monotonic() - begin < 4
    assert check.call(['-c', 'raise ValueError(7)'], 30).startswith('FAILED, ValueError: 7')
    assert check.call(['-c', 'print(5)'], 30).startswith('5 (')
    time.sleep(4)
    assert not left.exists()  # its child ended with it
    check.begin -= gpu_check.LIMIT
    assert check.call(['-c', 'print(5)'], 30) == 'left out: no time was left'
    assert '$ python -c' in (tmp_path / 'log.txt').read_text()


def test_the_table_is_there_at_any_time(check, tmp_path):
    check.write()
    assert '| baseline, ms a step | - | <= 10 | - |' in (tmp_path / 'table.md').read_text()
    found = {name: step.found for name, step in check.steps.items()}
    found['baseline'].update({'reference': side(72.0), 'triton': side(12.0)})
    found['baseline compiled'].update({gpu_check.PLAIN: side(30.0), 'all': side(9.0)})
    found['scd'].update({'triton': side(18.0, operations={'': 41}, shares=dict(loss=1.0))})
    found['loss'].update({'eager': side(0.1), 'triton': side(0.7)})
    losses = {gpu_check.PLAIN: 0.0, 'float32': 4e-3, gpu_check.LAST: 1e-3}
    for name, mean in losses.items():
        found['curve'][name] = dict(losses=[0.2, 0.1], mean=mean, largest=2 * mean)
    check.write()
    numbers = json.loads((tmp_path / 'numbers.json').read_text())
    measured = [row['measured'] for row in numbers['wanted']]
    assert measured[:4] == [9, 2, 0.7, 8] and measured[4:6] == [None, None]
    assert measured[6] == pytest.approx(0.25)
    text = (tmp_path / 'table.md').read_text()
    assert '| SCD, times the baseline | 2 | <= 1.6 | not measured on a GPU |' in text
    assert '| scd | triton | 18.00 | 56 |  | 41 | loss 100% |' in text
    check.gpu = True
    kept = [row['kept'] for row in check.judge()]
    assert kept == [True, False, True, True, None, None, True]


@pytest.mark.slow
def test_variants_side_by_side_or_each_alone(check):
    """Where one variant fails the others are measured without it."""
    variants = {'bad': ['model.max_depth=-1'], 'good': ['model.max_depth=80']}
    step = gpu_check.Step('little', check.steps['little'].arguments, 400, variants)
    check.run_step(step)
    assert set(step.found) == {gpu_check.PLAIN, 'good'} and step.times()
    assert step.said.startswith('FAILED, error: ') and 'bad alone: FAILED' in step.said
    assert Path(sys.executable).name in check.environment['PYTHON']

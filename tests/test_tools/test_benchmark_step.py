"""The side-by-side timing of training steps."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool():
    path = ROOT / 'tools/analysis_tools/benchmark_step.py'
    spec = importlib.util.spec_from_file_location('benchmark_step', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_baseline_and_scd_take_turns(tool, tiny_config, tiny_scd_config, capsys):
    tool.main([str(tiny_config), str(tiny_scd_config), '--steps', '2', '--warm-up', '1'])
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('|')
    ]
    assert rows[1][0] == str(tiny_config) and rows[1][3:] == ['1.00', '1.00']
    assert rows[2][0] == str(tiny_scd_config)
    assert float(rows[2][3]) == pytest.approx(float(rows[2][1]) / float(rows[1][1]), abs=0.1)


def test_no_steps_are_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['a.py', '--steps', '0'])
    assert '--steps must be at least 1' in capsys.readouterr().err

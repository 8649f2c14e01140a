"""The side-by-side timing of training steps, losses and loaders."""

import json

import pytest
import torch

from mmscd.ops.kernels import why_no_cpp
from tools.analysis_tools import benchmark_step


def rows_of(text):
    return [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in text.splitlines()
        if line.startswith('|')
    ]


def test_baseline_and_scd_take_turns(tiny_config, tiny_scd_config, capsys):
    options = ('--steps', '2', '--warm-up', '1')
    benchmark_step.main([str(tiny_config), str(tiny_scd_config), *options])
    rows = rows_of(capsys.readouterr().out)
    assert rows[1][0] == str(tiny_config) and rows[1][4:] == ['1.00', '1.00']
    assert rows[2][0] == str(tiny_scd_config)
    # samples per second and milliseconds of a batch of two are the same fact
    assert float(rows[1][3]) * float(rows[1][1]) / 1000 == pytest.approx(2, rel=0.05)


def test_the_reference_comes_first_and_operations_are_counted(tiny_scd_config, tmp_path, capsys):
    file = tmp_path / 'numbers.json'
    options = ('--reference', '--count', '--parts', '--steps', '1', '--warm-up', '0')
    options += ('--variant', 'flat', 'model.channels_last=True', '--json', str(file))
    benchmark_step.main([str(tiny_scd_config), *options])
    rows = rows_of(capsys.readouterr().out)
    names = ['reference', str(tiny_scd_config), 'flat']
    assert [row[0] for row in rows] == ['', *names, 'share of the time (operations)', *names]
    assert rows[0][-1] == 'operations' and all(int(row[-1]) > 500 for row in rows[1:4])
    sides = json.loads(file.read_text())['sides']
    for row, parts in zip(rows[1:4], rows[5:], strict=True):
        side = sides[row[0]]
        assert sum(side['operations'].values()) == int(row[-1])
        assert sum(side['shares'].values()) == pytest.approx(1)
        assert f'({side["operations"]["networks"]})' in parts[2]


def test_losses_and_loaders(tiny_config, capsys):
    benchmark_step.main(['--part', 'loss', '--size', '64x32', '--batch', '2', '--steps', '1'])
    forms = ['eager', 'mmscd', *(['cpp'] if why_no_cpp('cpu') is None else [])]
    assert [row[0] for row in rows_of(capsys.readouterr().out)[1:]] == forms
    benchmark_step.main([str(tiny_config), '--part', 'loader', '--steps', '2'])
    assert float(rows_of(capsys.readouterr().out)[1][3]) > 0


def test_a_whole_training_and_its_losses(tiny_config, tmp_path, capsys):
    config, file, plot = str(tiny_config), tmp_path / 'n.json', tmp_path / 'curve.png'
    benchmark_step.main([config, '--part', 'training', '--steps', '2', '--warm-up', '1'])
    rows = rows_of(capsys.readouterr().out)
    assert rows[0][-1] == 'waiting for data' and rows[1][-1].endswith('%')
    options = ('--part', 'curve', '--steps', '2', '--json', str(file), '--plot', str(plot))
    smooth = ('--variant', 'smooth', 'model.losses.smoothness.loss_weight=0.1')
    same = ('--variant', 'same', 'model.max_depth=100')
    benchmark_step.main([config, *options, *smooth, *same])
    assert 'apart from the first by at most' in capsys.readouterr().out
    sides = json.loads(file.read_text())['sides']
    assert sides['same']['losses'] == sides[config]['losses'] and sides['same']['largest'] == 0
    (a, b), (c, d) = sides['smooth']['losses'], sides[config]['losses']
    assert sides['smooth']['largest'] == pytest.approx(max(abs(a - c) / c, abs(b - d) / d)) != 0
    assert plot.read_bytes().startswith(b'\x89PNG')


def test_mistakes(tiny_config):
    twice = ('--variant', 'a', 'model.max_depth=80')
    record = (['--part', 'loss', '--record'], '--record needs a GPU')
    for arguments, words in (
        *[record] * (not torch.cuda.is_available()),
        ([str(tiny_config), *twice, *twice], '--variant a is given twice'),
        (['a.py', '--steps', '0'], '--steps must be at least 1'),
        (['--part', 'loader'], '--part loader needs at least one config'),
    ):
        with pytest.raises(SystemExit, match=words):
            benchmark_step.main(arguments)

"""The side-by-side timing of training steps, losses and loaders."""

import pytest

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


def test_the_reference_comes_first_and_operations_are_counted(tiny_scd_config, capsys):
    options = ('--reference', '--count', '--steps', '1', '--warm-up', '0')
    benchmark_step.main([str(tiny_scd_config), *options])
    rows = rows_of(capsys.readouterr().out)
    assert [row[0] for row in rows[1:]] == ['reference', str(tiny_scd_config)]
    assert rows[0][-1] == 'operations' and all(int(row[-1]) > 500 for row in rows[1:])


def test_losses_and_loaders(tiny_config, capsys):
    benchmark_step.main(['--part', 'loss', '--size', '64x32', '--batch', '2', '--steps', '1'])
    assert [row[0] for row in rows_of(capsys.readouterr().out)[1:]] == ['eager', 'mmscd']
    benchmark_step.main([str(tiny_config), '--part', 'loader', '--steps', '2'])
    assert float(rows_of(capsys.readouterr().out)[1][3]) > 0


def test_mistakes():
    for arguments, words in (
        (['a.py', '--steps', '0'], '--steps must be at least 1'),
        (['--part', 'loader'], '--part loader needs at least one config'),
    ):
        with pytest.raises(SystemExit, match=words):
            benchmark_step.main(arguments)

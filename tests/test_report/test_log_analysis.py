"""Logs with known content: curves, times, best values, resumed runs."""

import json

import cv2
import pytest

from mmscd.report.log_analysis import curve, running_mean
from mmscd.report.training_log import read_log
from tools.analysis_tools import analyze_logs


def write(folder, rows, tail=''):
    folder = folder / 'vis_data'
    folder.mkdir(parents=True)
    text = '\n'.join(json.dumps(row) for row in rows) + '\n' + tail
    (folder / 'scalars.json').write_text(text)
    return folder / 'scalars.json'


def train(step, loss, time=1.0, **more):
    return dict(loss=loss, time=time, data_time=0.25, lr=1e-4, iter=step, step=step, **more)


@pytest.fixture
def work_dir(tmp_path):
    """A run of 40 iterations, killed while it wrote, resumed from 20."""
    root = tmp_path / 'scd'
    first = [train(10, 0.5, 9.0), train(20, 0.4, 2.0), dict(abs_rel=0.3, delta1=0.5, step=20)]
    write(root / '20260101_000000', [*first, train(30, 0.9)], tail='{"loss": 0.')
    later = [train(30, 0.35, 4.0), dict(abs_rel=0.2, delta1=0.7, step=30)]
    later += [train(40, float('nan')), dict(abs_rel=0.25, delta1=0.6, step=40)]
    write(root / '20260102_000000', later)
    return root


def test_a_resumed_run_counts_once(work_dir):
    rows = read_log(work_dir)
    steps, losses = curve(rows, 'loss')
    assert steps == [10, 20, 30, 40] and losses[:3] == [0.5, 0.4, 0.35]
    assert curve(rows, 'abs_rel') == ([20, 30, 40], [0.3, 0.2, 0.25])


def test_a_resumed_run_may_begin_or_end_with_a_validation(work_dir):
    """After a kill between an iteration and its validation; the iteration's own row stays."""
    rows = [dict(abs_rel=0.24, step=40), train(50, 0.2)]
    write(work_dir / '20260103_000000', rows)
    write(work_dir / '20260104_000000', [dict(abs_rel=0.22, step=50)])
    rows = read_log(work_dir)
    assert curve(rows, 'loss')[0] == [10, 20, 30, 40, 50]
    assert curve(rows, 'abs_rel') == ([20, 30, 40, 50], [0.3, 0.2, 0.24, 0.22])


def test_a_validation_alone_is_no_start(work_dir):
    """It logs from iteration 0, and would replace all of the training."""
    write(work_dir / '20260103_000000', [dict(abs_rel=0.3, step=0)])
    assert [row['step'] for row in read_log(work_dir) if 'loss' in row] == [10, 20, 30, 40]


def test_running_mean():
    assert running_mean([1, 3, 5, 7], 2) == [1, 2, 4, 6]
    assert running_mean([1, 3], 1) == [1, 3]


def test_summary(work_dir, capsys):
    analyze_logs.main(['summary', str(work_dir)])
    lines = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in capsys.readouterr().out.splitlines() if '|' in line]  # fmt: skip
    table = {line[0]: line[1:] for line in lines}
    assert table['loss'] == ['4', '0.5', 'nan', '0.35', '30', '1']
    assert table['abs_rel'] == ['3', '0.3', '0.25', '0.2', '30', '']
    assert table['delta1'] == ['3', '0.5', '0.6', '0.7', '30', '']
    assert not {'lr', 'time', 'iter', 'step'} & set(table)


def test_train_time(work_dir, capsys):
    analyze_logs.main(['summary', str(work_dir)])
    printed = capsys.readouterr().out
    # without the first entry: 2, 4, 1 s
    assert '2.3333 s per iteration, at most 4.0000 s (up to iteration 30)' in printed
    assert f'{0.75 / 7:.1%} of it waiting for data' in printed


def test_curves_are_drawn(work_dir, tmp_path):
    file = write(tmp_path / 'other', [train(i, 1 / i) for i in range(1, 60)])
    out = tmp_path / 'pictures' / 'curves.png'
    analyze_logs.main(['plot_curve', str(work_dir), str(file), '--out', str(out), '--smooth', '5',
                       '--legend', 'a', 'b', '--title', 'two', '--log-scale'])  # fmt: skip
    picture = cv2.imread(str(out))
    assert picture.shape[0] > 200 and len(set(map(tuple, picture.reshape(-1, 3)[::7]))) > 10
    out = tmp_path / 'two.svg'
    analyze_logs.main(['plot_curve', str(work_dir), '--keys', 'loss', 'abs_rel', '--out', str(out)])
    assert out.read_text().lstrip().startswith('<?xml')


def test_mistakes_name_what_is_there(work_dir, tmp_path):
    for arguments, words in (
        (['summary', str(tmp_path / 'none')], 'there is no log at'),
        (['plot_curve', str(work_dir), '--keys', 'iou'], "has no 'iou'; it has loss, time"),
        (['plot_curve', str(work_dir), '--legend', 'a', 'b'], 'needs a name for each of 1'),
        (['plot_curve', str(work_dir), '--out', 'x.gif'], 'must end in .png'),
    ):
        with pytest.raises(SystemExit, match=words):
            analyze_logs.main(arguments)
    empty = write(tmp_path / 'empty', [])
    with pytest.raises(SystemExit, match='nothing was logged yet'):
        analyze_logs.main(['summary', str(empty)])

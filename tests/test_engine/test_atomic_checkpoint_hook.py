"""Trainings that are killed at the worst moments leave the folder that an unkilled one leaves."""

import re
import subprocess

import pytest
import torch

FSYNC, RENAME, REMOVE = ['os', 'fsync'], ['os', 'replace'], ['os', 'remove']
VALIDATE = ['mmengine.runner.loops', 'ValLoop', 'run_iter']
EVALUATE = ['mmengine.evaluator', 'Evaluator', 'evaluate']


def test_kills_leave_the_folder_of_an_unkilled_run(train, whole, same_folder, tmp_path):
    # in the first write, in a validation, and before the last but one and the best but one go
    kills = [(FSYNC, 1), (VALIDATE, 2), (REMOVE, 1), (REMOVE, 2)]
    runs = [dict(folder=tmp_path, at=at, nth=nth) for at, nth in kills]
    statuses, output = train(*runs, dict(folder=tmp_path))
    assert statuses == [*[-9] * len(kills), 0], output[-3000:]
    same_folder(tmp_path, whole)
    assert (tmp_path / 'best_abs_rel_iter_4.pth').is_file()
    # values of validations, which a kill makes come twice, are the log's
    stored = torch.load(tmp_path / 'best_abs_rel_iter_4.pth', weights_only=True)['message_hub']
    assert [key[:4] for key in stored['log_scalars'] if key.startswith('val')] == []
    assert any(key.startswith('train/') for key in stored['log_scalars'])


@pytest.mark.slow
def test_kills_at_every_step_of_the_end(train, whole, same_folder, tmp_path):
    # each start repeats what the last one did not end, so that the places move on by themselves
    places = [(RENAME, 2), (FSYNC, 2), (VALIDATE, 1), (EVALUATE, 1), (FSYNC, 2), (RENAME, 3)]
    places += [(RENAME, 4), (VALIDATE, 3), (RENAME, 2), (FSYNC, 3), (RENAME, 3), (REMOVE, 1)]
    runs = [dict(folder=tmp_path, at=at, nth=nth) for at, nth in places]
    statuses, output = train(*runs, dict(folder=tmp_path))
    assert statuses.count(-9) > len(places) // 2 and statuses[-1] == 0, (statuses, output[-3000:])
    same_folder(tmp_path, whole)


def test_what_is_not_the_trainings_own_stays(train, whole, tmp_path):
    """Also where it begins with a checkpoint of another folder, or goes back."""
    others = ['iter_1.pth', 'iter_1_good.pth', 'best_rmse_iter_1.pth', 'iter_9.pth', 'a.pth']
    for name in others:
        (tmp_path / name).touch()
    for name in ('.iter_2.pth.part', '.iter_2.pth.x1y2z3'):
        (tmp_path / name).touch()
    begin = ['--resume', str(whole / 'iter_4.pth')]
    statuses, output = train(dict(folder=tmp_path, more=begin))
    assert statuses == [0], output[-3000:]
    assert {file.name for file in tmp_path.glob('*.pth')} >= set(others)
    assert not list(tmp_path.glob('.*'))
    assert f'{tmp_path} holds iter_9.pth, newer than iteration 4' in output
    assert len(list(whole.glob('*.pth'))) == 2, 'nor does it touch the folder that it came from'


@pytest.mark.slow
@pytest.mark.parametrize('megabytes', [400, 700])
def test_a_full_disk_is_told_before_or_while_it_fills(megabytes, train, tmp_path):
    command = ['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'tmpfs', str(tmp_path)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip('mounting a tmpfs takes rights that this user has not')
    try:
        (status, _), output = train(
            dict(folder=tmp_path, at=VALIDATE, fill=str(tmp_path)), dict(folder=tmp_path)
        )
        last, files = output[output.index('error: ') :].splitlines()[0], list(tmp_path.rglob('*'))
        whole = [str(file) for file in files if file.suffix == '.pth']
        part = [str(file) for file in files if file.suffix == '.part']
    finally:
        # lazily: data loaders of the killed run may be there for some seconds
        subprocess.run(['umount', '--lazy', str(tmp_path)], check=True)
    assert status == 1 and not part
    if megabytes == 400:  # two and the best one twice
        needed = re.search(r'need (\d+) bytes, (\d+) are free; make room', last)
        assert int(needed[1]) == pytest.approx(4 * 107.4e6, rel=0.01) and whole == []
        assert int(needed[2]) == pytest.approx(400 * 2**20, rel=0.01)
    else:
        best = f'error: cannot write {tmp_path}/best_abs_rel_iter_2.pth: No space left on device'
        assert re.match(f'{best}; it needs 1074[0-9]{{5}} bytes, [0-9]{{1,6}} are free; ', last)
        assert whole == [f'{tmp_path}/iter_2.pth']

"""What lies in the folder of a training."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmscd.engine import find_latest_checkpoint, launch, run_folder


@pytest.fixture
def folder(tmp_path):
    """With two whole checkpoints, and files with other names."""
    for name in (
        'iter_30.pth',
        'iter_100.pth',
        'iter_550_good.pth',
        'iter_.pth',
        'best_iter_900.pth',
    ):
        torch.save(dict(iter=30), tmp_path / name)
    (tmp_path / 'iter_700.pth').mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def said(monkeypatch):
    lines = []
    for module in (launch, run_folder):
        monkeypatch.setattr(module, 'print_log', lambda text, **_: lines.append(text))
    return lines


def resolve(folder):
    cfg = Config(dict(work_dir=str(folder)))
    launch.resolve_resume(cfg, 'auto')
    return cfg.get('load_from')


def test_only_numbered_files_are_checkpoints_of_a_training(folder):
    numbers = run_folder.numbered_checkpoints(folder)
    assert [number for number, _ in numbers] == [30, 100]
    assert find_latest_checkpoint(folder).name == 'iter_100.pth'
    assert resolve(folder) == str(folder / 'iter_100.pth')


@pytest.mark.parametrize('left', [0, 3, 500, 'zeros'])
def test_truncated_ones_are_passed_over_with_a_warning(left, folder, said):
    whole = (folder / 'iter_30.pth').read_bytes()
    for name in ('iter_100.pth', 'iter_200.pth'):
        zeros = bytes(len(whole))
        (folder / name).write_bytes(zeros if left == 'zeros' else whole[:left])
    assert find_latest_checkpoint(folder).name == 'iter_30.pth'
    for line, name in zip(said, ('iter_200.pth', 'iter_100.pth'), strict=True):
        assert f'{folder / name} is ' in line and '(passed over)' in line


def test_a_start_anew_beside_truncated_ones_says_so(tmp_path, said):
    assert resolve(tmp_path) is None
    assert said == [f'No checkpoint in {tmp_path}: training starts anew']
    (tmp_path / 'iter_9.pth').write_bytes(b'PK\x03\x04')
    assert resolve(tmp_path) is None
    assert said[2:] == [f'No whole checkpoint in {tmp_path}: training starts anew']


class _Code:
    def __reduce__(self):
        return print, ('executed',)


def test_what_cannot_be_read_for_another_reason_stops(folder, monkeypatch):
    for content, words in (
        (b'<html>', r'iter_9000\.pth is a web page'),
        (b'version https://git-lfs', r'iter_9000\.pth is a pointer of Git LFS'),
        (_Code(), r'iter_9000\.pth holds more than tensors'),
    ):
        if isinstance(content, bytes):
            (folder / 'iter_9000.pth').write_bytes(content)
        else:
            torch.save(content, folder / 'iter_9000.pth')
        with pytest.raises(RuntimeError, match=f'{words}.*or move it away'):
            resolve(folder)

    def denied(file):
        raise PermissionError(13, 'Permission denied', str(file))

    monkeypatch.setattr(run_folder, 'load_checkpoint_file', denied)
    with pytest.raises(PermissionError, match=r'iter_9000\.pth'):
        resolve(folder)


def test_a_validation_is_remembered_until_the_training_goes_back(tmp_path):
    assert not run_folder.read_validation(tmp_path, 4)
    run_folder.note_validation(tmp_path, 4)
    assert run_folder.read_validation(tmp_path, 4) and not run_folder.read_validation(tmp_path, 6)
    assert not run_folder.read_validation(tmp_path, 2)
    assert not run_folder.read_validation(tmp_path, 4), 'of weights that are given up'


@pytest.fixture
def holder(tmp_path):
    """A process that trains in the folder, with a worker that outlives it."""
    read, write = os.pipe()
    if not (pid := os.fork()):
        with run_folder.hold_folder(tmp_path):
            worker = os.fork()
            if worker:
                os.write(write, str(worker).encode())
            time.sleep(60)
        os._exit(0)
    worker = int(os.read(read, 20))
    yield pid
    for process in (pid, worker):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_a_folder_is_held_by_one_that_lives(holder, tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path)))
    words = f'process {holder} on {socket.gethostname()} trains in {tmp_path}: .*train.lock'
    for launcher in ('none', 'pytorch'):
        with pytest.raises(RuntimeError, match=words), launch.hold_work_dir(cfg, launcher):
            pass
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with launch.hold_work_dir(cfg, 'none'):
        assert (tmp_path / 'train.lock').read_text() == f'{socket.gethostname()} {os.getpid()}'
    assert (tmp_path / 'train.lock').read_text() == ''


def test_only_the_first_process_holds_it(holder, tmp_path, monkeypatch):
    cfg = Config(dict(work_dir=str(tmp_path)))
    for launcher, name in (('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID')):
        monkeypatch.setenv(name, '1')
        with launch.hold_work_dir(cfg, launcher):
            pass
        monkeypatch.setenv(name, '0')
        with pytest.raises(RuntimeError, match='trains in'), launch.hold_work_dir(cfg, launcher):
            pass


def test_without_locks_what_the_file_says_counts(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(run_folder.fcntl, 'lockf', refuse)
    here, file = socket.gethostname(), tmp_path / 'train.lock'
    for text in ('', f'{here} 999999999'):
        file.write_text(text)
        with run_folder.hold_folder(tmp_path):
            pass
    for text in (f'{here} {os.getpid()}', 'elsewhere 1'):
        file.write_text(text)
        with pytest.raises(RuntimeError, match='remove .*train.lock'):
            with run_folder.hold_folder(tmp_path):
                pass


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    file = tmp_path / 'file'
    file.touch()
    with pytest.raises(OSError, match=f'cannot write to {file}'):
        launch.hold_work_dir(Config(dict(work_dir=str(file))), 'none')


def test_room_is_counted_before_the_training(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=999)
    monkeypatch.setattr(run_folder.shutil, 'disk_usage', lambda folder: usage)
    run_folder.check_room(tmp_path, 999)
    with pytest.raises(OSError, match=f'{tmp_path}: .* need 1000 bytes, 999 are free'):
        run_folder.check_room(Path(tmp_path), 1000)

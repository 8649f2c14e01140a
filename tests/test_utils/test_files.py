"""JSON and CSV files: what NaN becomes, and that they are whole."""

import csv
import errno
import json
import math
import os
import re
import shutil
import signal

import cv2
import numpy as np
import pytest

from mmscd.datasets.formats.file_index import FileIndex
from mmscd.deployment.parity import read_frames
from mmscd.evaluation.error_classes import LabelFolder
from mmscd.evaluation.offline import open_predictions
from mmscd.inference.inputs import count_images, find_files
from mmscd.utils.files import atomic_write, list_files, write_csv, write_json
from tools.deployment import onnx_demo


def test_json_knows_no_nan_and_makes_its_folder(tmp_path):
    path = tmp_path / 'new' / 'a.json'
    content = {'x': [1.5, math.nan, (np.float64('inf'), 2)], 3: dict(deep=-math.inf, name='é')}
    write_json(path, content)
    expected = {'x': [1.5, None, [None, 2]], '3': dict(deep=None, name='é')}
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == expected
    assert path.read_text().endswith('}\n')


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / 'a.json'
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, dict(a=object()))
    assert path.read_text() == '1\n' and [p.name for p in tmp_path.iterdir()] == ['a.json']


def test_kills_leave_one_temporary_file_that_the_next_write_takes_over(tmp_path, monkeypatch):
    for content in (b'a' * 9, b'b' * 3):
        if not (pid := os.fork()):
            monkeypatch.setattr(os, 'fsync', lambda handle: os.kill(os.getpid(), signal.SIGKILL))
            atomic_write(tmp_path / 'a', content)
        os.waitpid(pid, 0)
        assert [p.name for p in tmp_path.iterdir()] == ['.a.part']
        assert (tmp_path / '.a.part').read_bytes() == content
    atomic_write(tmp_path / 'a', b'c')
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == dict(a=b'c')
    assert (tmp_path / 'a').stat().st_mode & 0o777 == 0o666 & ~os.umask(os.umask(0o22))


def test_writers_of_one_file_take_turns(tmp_path):
    texts = [bytes([65 + i]) * (100_000 * (i + 1)) for i in range(3)]
    children = []
    for text in texts:
        if not (pid := os.fork()):
            for _ in range(100):
                atomic_write(tmp_path / 'a', text, sync=False)
            os._exit(0)
        children.append(pid)
    while children:
        if (tmp_path / 'a').exists():
            assert (tmp_path / 'a').read_bytes() in texts
        pid, status = os.waitpid(children[0], os.WNOHANG)
        if pid:
            assert status == 0
            children.pop(0)
    assert [p.name for p in tmp_path.iterdir()] == ['a']


def test_a_full_disk_names_file_and_bytes_and_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / 'a'
    atomic_write(path, b'old')
    free = shutil.disk_usage(tmp_path).free

    def full(handle, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'write', full)
    with pytest.raises(OSError) as caught:
        atomic_write(path, bytes(1234))
    said = re.fullmatch(
        f'cannot write {path}: No space left on device; it needs 1234 bytes, '
        r'(\d+) are free; make room, or choose another folder',
        str(caught.value),
    )
    assert int(said[1]) == pytest.approx(free, rel=0.5)
    assert path.read_bytes() == b'old' and [p.name for p in tmp_path.iterdir()] == ['a']


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / 'a').write_text('x')
    for path in (tmp_path / 'a' / 'b.json', tmp_path / 'a' / 'b' / 'c.json'):
        with pytest.raises(OSError, match=f'cannot write {path}: a file is where its folder'):
            write_json(path, 2)


def test_csv_leaves_absent_and_nan_empty(tmp_path):
    path = tmp_path / 'a.csv'
    write_csv(path, ['b', 'a'], [dict(a=1, b='x,y', c=3), dict(b=math.nan)])
    assert path.read_bytes() == b'b,a\n"x,y",1\n,\n'
    with path.open() as stream:
        assert list(csv.DictReader(stream))[1] == dict(a='', b='')


@pytest.fixture
def from_a_mac(tmp_path):
    """Two images, one of them in a folder, and what macOS puts beside them."""
    folder = tmp_path / 'frames'
    (folder / 'day' / '.Trash').mkdir(parents=True)
    (folder / 'folder.png').mkdir()
    for name in ('1.PNG', 'day/2.png'):
        cv2.imwrite(str(folder / name), np.full((4, 6), 256, np.uint16))
    for name in ('._1.png', 'day/._2.png', 'day/.Trash/2.png', '.DS_Store'):
        (folder / name).write_bytes(b'\x00\x05\x16\x07')
    return folder


def test_files_come_in_natural_order(tmp_path):
    names = ['2.npy', '10.npy', 'a/9.npy', 'a/10.npy', 'a-1/1.npy']
    for name in reversed(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list_files(tmp_path, ('.npy',), below=True)
    assert [str(path.relative_to(tmp_path)) for path in found] == names


def test_dot_files_are_passed_over(from_a_mac):
    one, two = from_a_mac / '1.PNG', from_a_mac / 'day' / '2.png'
    assert list_files(from_a_mac, ('.png',)) == [one]
    assert list_files(from_a_mac, ('.png',), below=True) == [one, two]
    assert FileIndex().names(str(from_a_mac)) == {'1.PNG', 'day', 'folder.png'}


def test_every_reader_of_folders_passes_over_dot_files(from_a_mac):
    one, two = from_a_mac / '1.PNG', from_a_mac / 'day' / '2.png'
    assert find_files(str(from_a_mac)) == [(one, '1')] and count_images(str(from_a_mac)) == 1
    assert LabelFolder(from_a_mac / 'day').files == {'2': two}
    predictions = open_predictions(from_a_mac, 'depth')
    assert predictions.names == ['1.PNG', 'day/2.png'] and predictions.load(0).min() == 1
    assert [name for name, _ in read_frames([from_a_mac], (3, 2))] == ['1.PNG', '2.png']
    assert onnx_demo.list_images(from_a_mac) == [one, from_a_mac / 'folder.png']

"""JSON and CSV files: what NaN becomes, and that they are whole."""

import csv
import json
import math

import cv2
import numpy as np
import pytest

from mmscd.datasets.formats.file_index import FileIndex
from mmscd.deployment.parity import read_frames
from mmscd.evaluation.error_classes import LabelFolder
from mmscd.evaluation.offline import open_predictions
from mmscd.inference.inputs import count_images, find_files
from mmscd.utils.files import list_files, write_csv, write_json
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

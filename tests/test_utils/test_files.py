"""JSON and CSV files: what NaN becomes, and that they are whole."""

import csv
import json
import math

import numpy as np
import pytest

from mmscd.utils.files import write_csv, write_json


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

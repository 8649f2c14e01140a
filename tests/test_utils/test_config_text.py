"""Configs that came out of a file of weights are read, never run."""

import pytest
from mmengine.config import Config

from mmscd.utils.config import literal_config, load_config


def test_what_mmengine_writes_is_read():
    cfg = load_config('configs/scd/scd_r18_kitti.py')
    assert Config(literal_config(cfg.pretty_text, 'x')).to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "a = __import__('os').system('touch executed')",
        "a = dict(b=open('executed', 'w'))",
        'a = [x for x in (1,)]',
        "a = dict(**dict(b=1))\nexec('1')",
        'a.b = 1',
        'def f(): pass',
        "a = f'{1 + 1}'",
        'a = (lambda: 1)()',
        'a = dict(b=unknown)',
        'a = (' * 300,
    ],
)
def test_code_is_refused_by_line(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='the config in some.pth'):
        literal_config(text, 'some.pth')
    assert not list(tmp_path.iterdir())


def test_values_keep_their_types():
    text = "a = dict(b=(1, 2.5), c=[None, True, -3], d=inf, e={1: 'x', 'y': ()})\nf = 'g'"
    inf = float('inf')
    assert literal_config(text, 'x') == dict(
        a=dict(b=(1, 2.5), c=[None, True, -3], d=inf, e={1: 'x', 'y': ()}), f='g'
    )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'\xff\xfe\x00', 'UnicodeDecodeError'),
        (b'hello world\n', 'SyntaxError: invalid syntax'),
        (b'a = 1 / 0\n', 'ZeroDivisionError: division by zero'),
        (b"a = int('x')\n", 'ValueError: invalid literal'),
        (b"_base_ = ['a.py', 'b.py']\n", 'KeyError: .*Duplicate key'),
    ],
)
def test_what_is_no_config_is_one_sentence(content, words, tmp_path):
    for name in ('a.py', 'b.py'):
        (tmp_path / name).write_text('same = 1\n')
    (tmp_path / 'bad.py').write_bytes(content)
    with pytest.raises(ValueError, match=f'config .*bad.py cannot be read: .*{words}') as told:
        load_config(str(tmp_path / 'bad.py'))
    assert '\n' not in str(told.value)


@pytest.mark.parametrize('value', ["o'brien", 'a"b', 'a\\b', 'a\nb'])
def test_what_ends_a_string_is_refused_by_name(value, tmp_path, monkeypatch):
    path = tmp_path / 'leaf.py'
    path.write_text("root = '{{$MY_ROOT:data}}/x'\n")
    (tmp_path / 'above.py').write_text("_base_ = 'leaf.py'\n")
    monkeypatch.setenv('MY_ROOT', 'a blank')
    assert load_config(str(path)).root == 'a blank/x'
    monkeypatch.setenv('MY_ROOT', value)
    for name in ('leaf.py', 'above.py'):
        with pytest.raises(ValueError, match=r'leaf.py takes in \$MY_ROOT, .*quotes'):
            load_config(str(tmp_path / name))
    inside = tmp_path / value / 'inside.py'
    inside.parent.mkdir()
    inside.write_text('a = 1\n')
    assert load_config(str(inside)).a == 1
    inside.write_text("root = '{{ fileDirname }}/x'\n")
    with pytest.raises(ValueError, match='takes in the path of the file'):
        load_config(str(inside))

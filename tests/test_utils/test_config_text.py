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

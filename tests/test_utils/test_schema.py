"""Structured content against a description, and json files that are none."""

import pytest

from mmscd.utils.schema import Number, check, find_misfit, read_json, shorten

EXPECTED = dict(
    scenes=[{'K': [float] * 3, 'name': str, 'size': (int, None), 'share?': Number(0, 1)}],
    by_name={'first': int, str: Number(0)},
    key=bool,
)


def content(**scene):
    scene = dict(K=[1, 2.5, 3], name='a', size=None) | scene
    return dict(scenes=[scene], by_name=dict(first=1, other=0.5), key=True, more=[None])


def test_what_fits():
    for value in (content(), content(size=3, share=0), content(share=1.0)):
        assert find_misfit(value, EXPECTED) is None
    assert find_misfit([], [str]) is None and find_misfit({}, {str: int}) is None


@pytest.mark.parametrize(
    'value, told',
    [
        ([1], 'the content is [1], expected a mapping'),
        ({}, 'scenes is missing, expected a list'),
        (content(K=[1, 2]), 'scenes[0].K is [1, 2], expected a list of 3'),
        (content(K=[1, 2, float('nan')]), 'scenes[0].K[2] is nan, expected a finite number'),
        (content(K=[1, True, 2]), 'scenes[0].K[1] is True, expected a finite number'),
        (content(K=[1, '2', 2]), "scenes[0].K[1] is '2', expected a finite number"),
        (content(K=[1, 10**30, 2]), f'scenes[0].K[1] is {10**30}, expected a finite number'),
        (content(name=None), 'scenes[0].name is None, expected text'),
        (content(size=2.0), 'scenes[0].size is 2.0, expected a whole number or null'),
        (content(size=True), 'scenes[0].size is True, expected a whole number or null'),
        (content(share=1.5), 'scenes[0].share is 1.5, expected a finite number from 0 to 1'),
        (content() | dict(key=1), 'key is 1, expected true or false'),
        (content() | dict(by_name={}), 'by_name.first is missing, expected a whole number'),
        (content() | dict(by_name={5: 1}), 'by_name is {5: 1}, expected a mapping'),
        (
            content() | dict(by_name={'first': 1, 'a b': -1}),
            "by_name['a b'] is -1, expected a finite number of at least 0",
        ),
    ],
)
def test_the_place_is_named(value, told):
    with pytest.raises(ValueError) as caught:
        check(value, EXPECTED, 'f.json', 'mend it')
    assert str(caught.value) == f'f.json: {told}; mend it'


def test_alternatives_tell_the_deepest_place():
    expected = (None, dict(a=[int]))
    assert find_misfit(None, expected) is None and find_misfit(dict(a=[]), expected) is None
    assert find_misfit(dict(a=['x']), expected) == ('.a[0]', 'x', 'a whole number')


def test_shorten_is_bounded():
    endless = []
    endless.append(endless)
    laughs = 'ha'
    for _ in range(40):
        laughs = [laughs] * 9
    for value in ('x' * 10**6, list(range(10**5)), 10**5000, endless, laughs, 'a\nb' * 99):
        text = shorten(value)
        assert len(text) <= 60 and '\n' not in text
    assert shorten(3) == '3'


@pytest.mark.parametrize(
    'data, told',
    [
        (b'', 'Expecting value'),
        (b'{"a": 1', 'line 1 column 8'),
        (b'[' * 100_000, 'recursion'),
        (b'{"a":' * 100_000, 'recursion'),
        (b'9' * 5000, 'digits'),
        ('{"a": "straße"}'.encode('latin-1'), "'utf-8' codec"),
        (b'"\\ud800"', 'surrogates'),
        (b'<!DOCTYPE html>', 'Expecting value'),
    ],
)
def test_what_is_no_json_is_named(tmp_path, data, told):
    path = tmp_path / 'a.json'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf'a\.json is no readable json \(.*{told}.*\); mend it'):
        read_json(path, 'mend it')


def test_read_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"a": 1, "b": "\\u00e4"}')
    assert read_json(path, 'mend it', dict(a=int, b=str)) == dict(a=1, b='ä')
    with pytest.raises(ValueError, match=r'a\.json: c is missing, expected text; mend it'):
        read_json(path, 'mend it', dict(c=str))
    with pytest.raises(FileNotFoundError, match=r'b\.json does not exist; mend it'):
        read_json(tmp_path / 'b.json', 'mend it')
    with pytest.raises(OSError, match='; mend it$'):
        read_json(tmp_path, 'mend it')

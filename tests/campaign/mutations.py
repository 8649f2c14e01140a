"""Ways to spoil a file: of its bytes, and of what they mean."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import spoilt_files
import yaml
from spoilt_checkpoints import spoil_checkpoint

Mutation = tuple[str, bytes]
NASTY = [
    *(None, True, 0, -1, 1.5, 10**30, -(2**63), 1e308, float('nan'), float('inf'), '', 'abc'),
    *('\x00', '../../etc/passwd', '1e5', '\ud800', 'a' * 5000, 'line\nbreak', '{{ fileDirname }}'),
    *([], [1], [[]], [None] * 3, {}, {'a': 1}, {'': {'': []}}, [1, 'a', {}], [[1, 2], [3]]),
]
WORDS = [
    'nan',
    'inf',
    '-1',
    '0',
    '1e400',
    '9' * 40,
    'abc',
    '../../etc',
    '\x00',
    'é',
    '',
    '1 2',
    ':',
]
HTML = b'<!DOCTYPE html><html><body>404 Not Found</body></html>'


def spoil(kind: str, data: bytes, rng: random.Random) -> Mutation:
    """What was done, and the new content, of a file of a kind: a name of `MEANING`, or `bytes`."""
    if kind in MEANING and rng.random() < 0.65:
        return MEANING[kind](data, rng)
    return spoil_bytes(data, rng)


def spoil_bytes(data: bytes, rng: random.Random) -> Mutation:
    """Of any file."""
    size = max(len(data), 1)
    place = rng.randrange(size)
    early = rng.randrange(min(size, 200))
    table: dict[str, Callable[[], bytes]] = {
        'flip1': lambda: _flip(data, 1, rng),
        'flip8': lambda: _flip(data, 8, rng),
        'flip64': lambda: _flip(data, 64, rng),
        'flip begin': lambda: _flip(data[:64], 2, rng) + data[64:],
        'flip end': lambda: data[:-64] + _flip(data[-64:], 2, rng),
        'truncate': lambda: data[:place],
        'truncate late': lambda: data[: -rng.randint(1, 40)],
        'empty': lambda: b'',
        'zeros': lambda: data[:early] + bytes(rng.randint(1, 64)) + data[early + 64 :],
        'all zeros': lambda: bytes(size),
        'insert': lambda: data[:place] + rng.randbytes(rng.randint(1, 20)) + data[place:],
        'remove': lambda: data[:place] + data[place + rng.randint(1, 20) :],
        'garbage': lambda: rng.randbytes(rng.choice([1, 20, 500, size])),
        'header': lambda: data[:early] + rng.randbytes(rng.randint(4, 400)),
        'html': lambda: HTML,
        'latin': lambda: data.replace(b'e', b'\xe9', 3) if b'e' in data else b'\xe9' + data,
        'bom': lambda: b'\xef\xbb\xbf' + data,
        'utf16': lambda: data.decode('latin-1').encode('utf-16'),
        'crlf': lambda: data.replace(b'\n', b'\r\n'),
        'twice': lambda: data + data,
    }
    name = rng.choice(list(table))
    return name, table[name]()


def _flip(data: bytes, count: int, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(count if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _places(value: Any, path: tuple = ()) -> list[tuple]:
    """Paths of all values inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path]
    for key, item in items:
        inside = isinstance(item, (dict, list))
        found += _places(item, (*path, key)) if inside else [(*path, key)]
    return found


def _change(value: Any, rng: random.Random) -> tuple[str, Any]:
    """Remove or replace one value of nested dicts and lists."""
    if not isinstance(value, (dict, list)):
        return 'root', rng.choice(NASTY)
    # each depth alike: big tables lie deep
    by_depth: dict[int, list] = {}
    for path in _places(value):
        by_depth.setdefault(len(path), []).append(path)
    path = rng.choice(by_depth[rng.choice(list(by_depth))])
    nasty = rng.choice(NASTY)
    if not path:
        return f'root={nasty!r:.30}', nasty
    owner = value
    for key in path[:-1]:
        owner = owner[key]
    if rng.random() < 0.35:
        del owner[path[-1]]
        return f'remove {path[-1]}', value
    if isinstance(owner, dict) and rng.random() < 0.1:
        owner[str(nasty)[:20]] = owner.pop(path[-1])
        return f'rename {path[-1]}', value
    owner[path[-1]] = nasty
    return f'{path[-1]}={nasty!r:.30}', value


def _json(data: bytes, rng: random.Random) -> Mutation:
    if rng.random() < 0.12:
        deep = rng.choice([b'[', b'{"a":', b'[[{"a":'])
        return 'deep', deep * 100_000
    if rng.random() < 0.06:
        return 'huge int', b'[' + b'9' * 5000 + b']'
    name, value = _change(json.loads(data), rng)
    return name, json.dumps(value).encode()


def _lines_of_json(data: bytes, rng: random.Random) -> Mutation:
    lines = data.splitlines()
    number = rng.randrange(len(lines))
    name, lines[number] = _json(lines[number], rng)
    return name, b'\n'.join(lines)


def _yaml(data: bytes, rng: random.Random) -> Mutation:
    if rng.random() < 0.1:
        return 'deep', rng.choice([b'a: ' + b'[' * 5000, b'? ' * 5000, b'a: &a [*a]'])
    try:
        value = yaml.safe_load(data)
    except yaml.YAMLError:  # OpenCV's own tags
        return _text(data, rng)
    name, value = _change(value, rng)
    return name, yaml.safe_dump(value).encode('utf-8', 'surrogatepass')


def _text(data: bytes, rng: random.Random) -> Mutation:
    """Lines and words."""
    lines = data.decode('utf-8', 'replace').split('\n')
    number = rng.randrange(len(lines))
    words = re.split(r'( |: ?)', lines[number])
    word = rng.randrange(len(words))
    name = rng.choice(['drop line', 'twice', 'blank', 'word', 'word', 'word', 'drop word', 'long'])
    if name == 'drop line':
        del lines[number]
    elif name == 'twice':
        lines.insert(number, lines[number])
    elif name == 'blank':
        lines.insert(number, rng.choice(['', ' \t ', '#', '...']))
    elif name == 'long':
        lines[number] *= 1000
    else:
        words[word] = '' if name == 'drop word' else rng.choice(WORDS)
        name = f'{name} {words[word]!r:.20}'
        lines[number] = ''.join(words)
    return name, '\n'.join(lines).encode()


def _with_zips(spoil_file: Callable, share: float) -> Callable:
    """Of a file that is a zip inside, sometimes the zip."""

    def change(data: bytes, rng: random.Random) -> Mutation:
        if rng.random() < share:
            return spoilt_files.spoil_zip(data, rng, spoil)
        return spoil_file(data, rng)

    return change


MEANING: dict[str, Callable[[bytes, random.Random], Mutation]] = dict(
    json=_json,
    jsonl=_lines_of_json,
    yaml=_yaml,
    text=_text,
    npy=spoilt_files.spoil_npy,
    npz=_with_zips(spoilt_files.spoil_npz, 0.35),
    zip=_with_zips(spoil_bytes, 1.0),
    image=spoilt_files.spoil_image,
    mat=spoilt_files.spoil_mat,
    checkpoint=_with_zips(spoil_checkpoint, 0.2),
)

"""JSON files, and whether structured content is what its reader expects.

A description of content is made of plain values: a type (`str`, `bool`, `int`, `dict`; `object` is
anything), `float` or a `Number` with limits, None (null), `[x]` (a list of x), `[x, y]` (a list of
just these), `{str: x}` (a mapping), `{'a': x, 'b?': y}` (a mapping with at least the key `a`; `b`
may be absent), and a tuple of alternatives.
"""

from __future__ import annotations

import json
import os
import reprlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import write_json
from .text import read_text

_MAX = sys.float_info.max
_NAMES: dict[Any, str] = {
    str: 'text', bool: 'true or false', int: 'a whole number', float: 'a finite number',
    dict: 'a mapping', list: 'a list', None: 'null',
}  # fmt: skip
_ABSENT = type('_Absent', (), {'__repr__': lambda self: 'missing'})()
_Misfit = tuple[str, Any, str] | None  # place, what is there, what was expected


@dataclass(frozen=True)
class Number:
    """A finite number, no bool, from `low` to `high`."""

    low: float = -_MAX
    high: float = _MAX

    def fits(self, value: Any) -> bool:
        """Whether a value is such a number."""
        if type(value) is int and value.bit_length() > 63:  # NumPy takes it for an object
            return False
        return type(value) in (int, float) and self.low <= value <= self.high

    def __str__(self) -> str:
        high = f' from {self.low:g} to {self.high:g}' if self.high < _MAX else ''
        low = f' of at least {self.low:g}' if self.low > -_MAX else ''
        return f'a finite number{high or low}'


def shorten(value: Any) -> str:
    """A `repr` in one line of at most 60 characters, however large or deep a value is."""
    try:
        text = reprlib.repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = 'a number of thousands of digits'
    return text if len(text) <= 60 else f'{text[:57]}...'


def read_json(path: str | os.PathLike, mend: str, expected: Any = object) -> Any:
    """Content of a json file that is as `expected`, see above. One that is missing
    (FileNotFoundError), empty, no json, or something else (ValueError, with the line or the place
    in it) is named, with `mend`, what to do then."""
    try:
        text = read_text(path)
        content = json.loads(text)
        if '\\u' in text:  # halves of surrogate pairs can be neither printed nor file names
            json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {mend}') from None
    except OSError as error:
        raise OSError(f'{error}; {mend}') from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no readable json ({error}); {mend}') from None
    check(content, expected, path, mend)
    return content


def keep_settings(folder: Path, name: str, settings: dict[str, Any]) -> None:
    """Note in the file `name` of a folder what is made in it; ValueError where that was begun with
    other settings (plain values, as JSON has them)."""
    path = folder / name
    if path.is_file() and (found := read_json(path, f'remove {folder}', dict)) != settings:
        raise ValueError(f'{folder} was begun with {found}, now asked for: {settings}')
    write_json(path, settings)


def check(value: Any, expected: Any, what: str | os.PathLike, mend: str) -> None:
    """Raise a ValueError where a value is not as `expected` (see above): `what` it is in, the
    place, what is there, what was expected, and `mend`."""
    if (found := find_misfit(value, expected)) is not None:
        place = found[0].removeprefix('.') or 'the content'
        raise ValueError(f'{what}: {place} is {shorten(found[1])}, expected {found[2]}; {mend}')


def find_misfit(value: Any, expected: Any) -> _Misfit:
    """The first that does not fit."""
    if isinstance(expected, tuple):
        found = [find_misfit(value, one) for one in expected]
        if None in found:
            return None
        wanted = ' or '.join(one[2] for one in found if one)
        return next((one for one in found if one and one[0]), ('', value, wanted))
    if isinstance(expected, (list, dict)):
        return _misfit_inside(value, expected)
    number = Number() if expected is float else expected
    if isinstance(number, Number):
        fits = number.fits(value)
    else:
        fits = expected is object or value is expected or type(value) is expected
    return None if fits else ('', value, _NAMES.get(expected) or str(expected))


def _misfit_inside(value: Any, expected: list | dict) -> _Misfit:
    if isinstance(expected, list):
        count = len(expected)
        if type(value) is not list or len(value) != count > 1:
            return '', value, f'a list of {count}' if count > 1 else 'a list'
        items = [(i, item, expected[i if count > 1 else 0]) for i, item in enumerate(value)]
    elif type(value) is not dict or not all(type(key) is str for key in value):
        return '', value, 'a mapping'
    else:
        items = [
            (key.rstrip('?'), value.get(key.rstrip('?'), _ABSENT), kind)
            for key, kind in expected.items()
            if type(value.get(key)) is not kind or kind is float  # large tables: this first
            if key is not str and (key[-1] != '?' or key[:-1] in value)
        ]
        if str in expected:
            items += [(key, item, expected[str]) for key, item in value.items()]
    for key, item, kind in items:
        if (found := find_misfit(item, kind)) is not None:
            place = f'.{key}' if str(key).isidentifier() else f'[{shorten(key)}]'
            return place + found[0], *found[1:]
    return None

"""Numeric arrays out of MATLAB files, without scipy.

Format: MathWorks, "MAT-File Format", level 5 (MATLAB 5 to 7, also compressed).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from .images import read_bytes

_DTYPES = {
    1: 'i1',
    2: 'u1',
    3: 'i2',
    4: 'u2',
    5: 'i4',
    6: 'u4',
    7: 'f4',
    9: 'f8',
    12: 'i8',
    13: 'u8',
}
_MATRIX, _COMPRESSED = 14, 15
_HEADER = 128


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) of a row of data elements."""
    position = 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from(f'{order}II', data, position)
        start = position + 8
        if kind >> 16:  # a small element: size, type and up to four bytes in eight
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            position += 8
        else:
            padding = 0 if kind == _COMPRESSED else -size % 8
            position = start + size + padding
        if start + size > len(data):
            raise ValueError('it ends early')
        yield kind, data[start : start + size]


def _array(content: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """(name, values) of a matrix element; None where it is no real numeric array."""
    parts = list(_elements(content, order))
    if len(parts) < 4 or len(parts[0][1]) < 8:
        return None
    flags = struct.unpack_from(f'{order}I', parts[0][1])[0]
    kind, stored = parts[3]
    if not 6 <= flags & 0xFF <= 15 or flags & 0x800 or kind not in _DTYPES:
        return None
    shape = np.frombuffer(parts[1][1], f'{order}i4')
    values = np.frombuffer(stored, order + _DTYPES[kind])
    return parts[2][1].decode('ascii'), values.reshape(shape, order='F')


def read_mat(path: str | os.PathLike, name: str) -> np.ndarray:
    """A real numeric array of a MAT file.

    Args:
        path: of the file.
        name: of the variable.

    Returns:
        the array as stored.

    Raises:
        OSError: the file is missing, empty or broken.
        ValueError: it is no MAT file of level 5, or has no such array.
    """
    data = read_bytes(path)
    order = {b'IM': '<', b'MI': '>'}.get(data[126:128])
    if order is None:
        raise ValueError(f'{path} is no MATLAB file of level 5 to 7; download it again')
    found = []
    try:
        for kind, content in _elements(data[_HEADER:], order):
            if kind == _COMPRESSED:
                kind, content = next(_elements(zlib.decompress(content), order))
            array = _array(content, order) if kind == _MATRIX else None
            if array is not None:
                if array[0] == name:
                    return array[1]
                found.append(array[0])
    except (zlib.error, struct.error, ValueError, StopIteration) as error:
        raise OSError(
            f'{path} is truncated or damaged ({error}); download it again, or leave it out of the '
            'split'
        ) from None
    raise ValueError(f'{path} has no numeric array {name!r}, only {found}; download it again')

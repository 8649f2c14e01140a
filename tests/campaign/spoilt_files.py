"""Arrays, archives and images that are spoilt in what they mean."""

from __future__ import annotations

import io
import pickle
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import scipy.io
import scipy.sparse
from PIL import Image

Mutation = tuple[str, bytes]


def _array(array: np.ndarray, rng: random.Random) -> tuple[str, np.ndarray]:
    some = array.astype(float) if array.dtype.kind in 'fiu' else np.ones(array.shape)
    table: dict[str, Callable[[], np.ndarray]] = {
        'object': lambda: np.array([{'a': 1}, None], object),
        'one more': lambda: array[None],
        'one less': lambda: array[0] if array.ndim and len(array) else array,
        'flat': lambda: array.ravel(),
        'scalar': lambda: np.array(1.0),
        'no values': lambda: array[:0] if array.ndim else np.zeros(0),
        'nothing': lambda: np.zeros((0, 0, 0)),
        'nan': lambda: np.full_like(some, np.nan),
        'inf': lambda: some + np.inf,
        'negative': lambda: -np.abs(some) - 1,
        'zero': lambda: some * 0,
        'huge': lambda: some * 1e300,
        'words': lambda: np.full(array.shape, 'abc'),
        'bytes': lambda: np.full(array.shape, b'\xff'),
        'complex': lambda: some * 1j,
        'dates': lambda: np.full(array.shape, '2020-01-01', 'datetime64[D]'),
        'records': lambda: np.zeros(array.shape, [('a', 'f4'), ('b', 'i4')]),
        'short': lambda: array[:-1] if array.ndim else array,
        'doubled': lambda: np.concatenate([array, array]) if array.ndim else array,
        'big ends': lambda: some.astype('>f8'),
        'columns': lambda: np.asfortranarray(some),
        'half': lambda: some.astype(np.float16),
        'bits': lambda: some > 0,
        'big numbers': lambda: np.full(array.shape, 10**9),
    }
    name = rng.choice(list(table))
    return name, table[name]()


def _npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _header(text: str) -> bytes:
    text = text.ljust(117) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode('latin-1')


def spoil_npy(data: bytes, rng: random.Random) -> Mutation:
    """Headers that lie, and arrays of another kind."""
    headers = {
        'huge': "{'descr': '<f4', 'fortran_order': False, 'shape': (40000000000,), }",
        'huger': "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000000,), }",
        'negative': "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
        'keys': "{'descr': '<f4', 'shape': (3,), }",
        'type': "{'descr': '<x9', 'fortran_order': False, 'shape': (3,), }",
        'code': "__import__('os').getpid()",
        'open': "{'descr': '<f4', 'fortran_order': (",
        'nothing': '',
        'object': "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        'unicode': "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (3,), }",
    }
    if rng.random() < 0.4:
        name = rng.choice(list(headers))
        return f'header {name}', _header(headers[name]) + data[128:]
    if rng.random() < 0.1:
        return 'pickle', pickle.dumps([1, 2])
    name, array = _array(np.load(io.BytesIO(data)), rng)
    return name, _npy_bytes(array)


def spoil_npz(data: bytes, rng: random.Random) -> Mutation:
    """An array less, or of another kind."""
    arrays = dict(np.load(io.BytesIO(data)))
    key = rng.choice(list(arrays))
    if rng.random() < 0.15:
        del arrays[key]
        name = 'without'
    else:
        name, arrays[key] = _array(arrays[key], rng)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return f'{key}: {name}', stream.getvalue()


def _replace_member(data: bytes, wanted: str, rng: random.Random, spoil: Callable) -> bytes:
    """A zip whose one member is spoilt by bytes or by its own kind."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            if name == wanted:
                kind = 'npy' if name.endswith('.npy') and content[:1] == b'\x93' else 'bytes'
                content = spoil(kind, content, rng)[1]
            new.writestr(name, content)
    return out.getvalue()


def spoil_zip(data: bytes, rng: random.Random, spoil: Callable) -> Mutation:
    """Headers and members; local headers begin with PK 03 04, those of the directory with PK 01 02.
    `spoil` is what spoils a member."""
    changed = bytearray(data)
    centre = [m.start() for m in re.finditer(b'PK\x01\x02', data)]
    local = [m.start() for m in re.finditer(b'PK\x03\x04', data)]
    if not centre or not local:
        return spoil('bytes', data, rng)
    at, there = rng.choice(centre), rng.choice(local)
    # offsets in a header of the directory, and of what lies before a file
    fields = dict(encrypted=(8, 1, 6), method=(10, 99, 8), crc=(16, 0, 14), inside=(20, 3, 18))
    fields |= dict(size=(24, 2**31, 22), small=(24, 1, 22), names=(28, 60000, 26))
    fields |= dict(start=(42, 2**31, None), flags=(8, 0x20, 6))
    name = rng.choice([*fields, 'member', 'evil', 'no members', 'bomb'])
    if name == 'member':
        with zipfile.ZipFile(io.BytesIO(data)) as content:
            wanted = rng.choice(content.namelist())
        return f'member {wanted[-30:]}', _replace_member(data, wanted, rng, spoil)
    if name in ('evil', 'no members', 'bomb'):
        out = io.BytesIO()
        with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as content:
            if name == 'evil':
                content.writestr(rng.choice(['../evil.txt', '/tmp/evil.txt', 'a/../../b']), b'x')
            elif name == 'bomb':
                first = zipfile.ZipFile(io.BytesIO(data)).namelist()[0]
                content.writestr(first, bytes(3 << 28))
        return name, out.getvalue()
    in_centre, value, in_local = fields[name]
    form = '<H' if name in ('encrypted', 'method', 'names', 'flags') else '<I'
    struct.pack_into(form, changed, at + in_centre, value)
    if in_local is not None and rng.random() < 0.5:
        struct.pack_into(form, changed, there + in_local, value)
    return name, bytes(changed)


def spoil_image(data: bytes, rng: random.Random) -> Mutation:
    """Other kinds of images under the same name, and headers that lie."""
    if rng.random() < 0.25 and data.startswith(b'\x89PNG'):
        size = rng.choice([(40000, 40000), (2**31 - 1, 2), (0, 5), (30000, 30000), (100000, 1)])
        head = b'IHDR' + struct.pack('>II', *size) + data[24:29]
        made = data[:12] + head + struct.pack('>I', zlib.crc32(head)) + data[33:]
        return f'claims {size}', made
    if rng.random() < 0.2 and data.startswith(b'\xff\xd8'):
        at = data.find(b'\xff\xc0') + 5
        size = rng.choice([(65500, 65500), (0, 10), (30000, 30000)])
        return f'claims {size}', data[:at] + struct.pack('>HH', *size) + data[at + 4 :]
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    image = Image.fromarray(((stored >> 8) if stored.dtype == np.uint16 else stored).astype('u1'))
    mode = rng.choice(['L', '1', 'P', 'RGB', 'RGBA', 'LA', 'I', 'CMYK', 'F', 'I;16'])
    form = rng.choice(['PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM'])
    if rng.random() < 0.3:
        image = image.resize(rng.choice([(1, 1), (3, 200), (200, 3), (1, 5000), (8, 8)]))
    if mode == 'I;16':
        image = Image.fromarray(np.full(image.size[::-1], 1000, np.uint16))
    elif mode in ('LA', 'CMYK', 'F', 'I', '1'):
        image = image.convert('RGB').convert('L' if mode in ('F', 'I') else mode).convert(mode)
    else:
        image = image.convert('RGB').convert(mode)
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = rng.randint(0, 9)
    try:
        more = dict(exif=exif) if form in ('JPEG', 'PNG', 'WEBP', 'TIFF') else {}
        image.save(stream, form, **more)
    except (OSError, ValueError):  # a mode that the format does not know
        image.convert('RGB').save(stream := io.BytesIO(), form)
    return f'{form} {mode} {image.size}', stream.getvalue()


def spoil_mat(data: bytes, rng: random.Random) -> Mutation:
    """The array that Make3D's reader takes, of another kind."""
    values = {
        'cells': np.array([[1, 'a'], [None, 2.0]], object)[:1],
        'struct': dict(a=1, b='x'),
        'words': 'hello',
        'sparse': scipy.sparse.eye(5),
        'complex': np.ones((55, 305, 4)) * 1j,
        'rank 2': np.ones((55, 305)),
        'few': np.ones((3, 3, 4)),
        'nan': np.full((55, 305, 4), np.nan),
        'none': np.zeros((0, 0, 4)),
        'negative': -np.ones((55, 305, 4)),
        'bool': np.ones((55, 305, 4), bool),
    }
    name, stream = rng.choice(list(values)), io.BytesIO()
    scipy.io.savemat(stream, dict(Position3DGrid=values[name]))
    return name, stream.getvalue()

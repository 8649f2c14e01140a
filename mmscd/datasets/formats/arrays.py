"""Numbers out of files: NumPy and MATLAB arrays, matrices, depth; each checked and named."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import numpy as np

from mmscd.utils.schema import shorten

from .images import MAX_PIXELS, read_bytes

# what zipfile, zlib and NumPy's parser of headers raise for damaged files
_BROKEN: tuple[type[Exception], ...] = (
    OSError, ValueError, LookupError, EOFError, RuntimeError, TypeError, ArithmeticError,
    MemoryError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
_DEFLATE = 1032  # its greatest ratio
_MAT_BYTES = 1 << 28  # of an unpacked element, far more than any map needs
# types of MATLAB's elements that hold numbers
_MAT_TYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8'}
_MAT_TYPES[13] = 'u8'


def read_arrays(
    path: str | os.PathLike, mend: str, keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Arrays of numbers and text of a .npz file by name, of a .npy file the one as ''; with `keys`
    only these. No pickles, and no memory is taken for what the file does not hold.

    FileNotFoundError; OSError, which ends with `mend`, where the file is truncated, damaged or
    encrypted, where a header claims another size than is there, or a key is missing."""
    try:
        with open(path, 'rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            magic = stream.read(2)
            stream.seek(0)
            if not magic:
                raise ValueError('it is empty')
            if magic != b'PK':
                return _choose({'': _read_array(stream, size)}, keys)
            with zipfile.ZipFile(stream) as archive:
                members = {i.filename.removesuffix('.npy'): i for i in archive.infolist()}
                chosen = _choose(members, keys)
                return {key: _read_member(archive, chosen[key], size) for key in chosen}
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {mend}') from None
    except _BROKEN as error:
        raise OSError(f'{path} cannot be read ({error}); {mend}') from None


def _choose(found: dict[str, Any], keys: Sequence[str] | None) -> dict[str, Any]:
    if lacking := [key for key in keys or () if key not in found]:
        names = ['a single array' if name == '' else name for name in found]
        raise ValueError(f'it holds {shorten(names)} and not {lacking}')
    return found if keys is None else {key: found[key] for key in keys}


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> np.ndarray:
    """An array of an archive of `size` bytes."""
    ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _DEFLATE}.get(info.compress_type, 0)
    if info.file_size > ratio * min(info.compress_size, size):
        raise ValueError(f'{info.filename!r} claims {info.file_size} bytes, or is no plain zip')
    with archive.open(info) as member:
        return _read_array(member, info.file_size)


def _read_array(stream: IO[bytes], size: int) -> np.ndarray:
    """The array that a stream of `size` bytes holds, and nothing else."""
    form = np.lib.format
    try:
        first = form.read_magic(stream) == (1, 0)
        read = form.read_array_header_1_0 if first else form.read_array_header_2_0
        shape, in_columns, dtype = read(stream)
    except _BROKEN:
        raise ValueError('it is no NumPy file, or its header is damaged') from None
    if dtype.hasobject:
        raise ValueError(
            'it holds Python objects, such as maps of different sizes; store one array of numbers, '
            'maps as (N, h, w), or a file per image'
        )
    if dtype.kind not in 'biufU' or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f'it holds {dtype} of shape {shape}, expected numbers or text')
    claimed, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if claimed != there:
        raise ValueError(f'{dtype} of shape {shape} takes {claimed} bytes, {there} are there')
    data = np.empty(claimed, np.uint8)
    if stream.readinto(data) != claimed:  # type: ignore[attr-defined]
        raise EOFError('it ends too early')
    array = data.view(dtype).reshape(shape, order='F' if in_columns else 'C')
    if dtype.kind == 'U':
        ''.join(array.ravel().tolist()).encode().decode()  # refuses what is no text
    return array


def is_map(values: np.ndarray) -> bool:
    """Whether an array is one map (h, w) of numbers, of a size that OpenCV can work with."""
    numbers = values.ndim == 2 and values.dtype.kind in 'fiu'
    return numbers and min(values.shape) > 0 and max(values.shape) < 1 << 15


def read_npy(path: str | os.PathLike, mend: str, key: str = '') -> np.ndarray:
    """The array of a .npy file, or the one of a .npz file under `key`; errors as `read_arrays`."""
    return read_arrays(path, mend, [key])[key]


def read_mat(path: str | os.PathLike, name: str) -> np.ndarray:
    """The real numeric array `name` of a MATLAB file, in the type it is stored in. OSError where
    the file is missing, empty or broken, ValueError where it is not of level 5 to 7 or has no such
    array. (SciPy's reader crashes the process at some damages.)"""
    data = read_bytes(path)
    orders = {b'IM': '<', b'MI': '>'}
    if data[126:128] not in orders:
        raise ValueError(f'{path} is no MATLAB file of level 5 to 7; download it again')
    try:
        arrays = dict(_mat_arrays(data[128:], orders[data[126:128]]))
    except (ValueError, LookupError, struct.error, zlib.error) as error:
        mend = 'download it again, or leave it out of the split'
        raise OSError(f'{path} is truncated or damaged ({error}); {mend}') from None
    if name not in arrays:
        names = shorten(list(arrays))
        raise ValueError(f'{path} has no numeric array {name!r}, only {names}; download it again')
    return arrays[name]


def _mat_arrays(data: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    """Names and values of the real numeric arrays, by 'MAT-File Format' of MathWorks."""
    for kind, content in _mat_elements(data, order):
        if kind == 15:
            unpacked = zlib.decompressobj()
            content = unpacked.decompress(content, _MAT_BYTES)
            if not unpacked.eof:
                raise ValueError('an element does not unpack')
            kind, content = next(_mat_elements(content, order), (0, b''))
        if kind != 14:
            raise ValueError(f'an element of type {kind}')
        (_, flags), (_, shape), (_, name), *values = islice(_mat_elements(content, order), 4)
        flag = struct.unpack_from(f'{order}I', flags)[0]
        if flag & 0xFF in range(6, 16) and not flag & 0xA00:  # neither complex nor logical
            stored = np.frombuffer(values[0][1], order + _MAT_TYPES[values[0][0]])
            sizes = np.frombuffer(shape, f'{order}i4').tolist()
            if min(sizes) < 0:
                raise ValueError(f'an array of shape {sizes}')
            yield name.decode('latin-1'), stored.reshape(sizes, order='F')


def _mat_elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the elements, one after another."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f'{order}II', data, place)
        start, after = place + 8, place + 8 + size
        if kind >> 16:  # a small one: both in the first word, up to 4 bytes in the second
            kind, size, start, after = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        if start + size > min(len(data), after):
            raise ValueError(f'an element of {size} bytes is cut off')
        yield kind, data[start : start + size]
        place = after if kind == 15 else -(-after // 8) * 8


def parse_numbers(text: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Finite float64 numbers of a text, in a shape; `what` names it in the ValueError."""
    values: list = text.split()
    try:
        values = [float(value) for value in values]
    except ValueError:
        pass  # the words stand in the error
    return finite_array(values, (math.prod(shape),), what).reshape(shape)


def finite_array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A float64 array of just that shape, all finite; `what` names file and key in the
    ValueError."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0)
    if array.dtype.kind not in 'iuf' or array.shape != shape or not np.isfinite(array).all():
        came = 'nothing' if value is None else shorten(getattr(value, 'tolist', lambda: value)())
        expected = f'{" x ".join(map(str, shape))} finite numbers' if shape else 'a finite number'
        raise ValueError(f'{what}: expected {expected}, got {came}; restore the official file')
    return array.astype(np.float64)


def camera_matrix(values: Any, what: str) -> np.ndarray:
    """K (3, 3) float64 of a pinhole camera, of nine numbers (3, 3) or a list of fx, fy, cx, cy.
    ValueError (`what` names file and key) where one is missing or not finite, a focal length is not
    positive, or the last row is not 0, 0, 1."""
    if isinstance(values, list) and not any(isinstance(value, list) for value in values):
        fx, fy, cx, cy = finite_array(values, (4,), f'{what}: fx, fy, cx, cy')
        values = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    K = finite_array(values, (3, 3), what)
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        expected = 'focal lengths above 0, last row 0 0 1; restore the official file'
        raise ValueError(f'{what} holds no camera matrix: {K.tolist()}; expected {expected}')
    return K


def disparity_to_depth(disparity: np.ndarray, focal_baseline: float) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a disparity (H, W) in pixels, not above 0
    = none: (focal length in pixels x baseline in metres) / disparity."""
    depth = np.zeros(disparity.shape, np.float32)
    return np.divide(focal_baseline, disparity, out=depth, where=disparity > 0)


def read_depth_npy(path: str | os.PathLike) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a NumPy file of an evaluation code.
    OSError where it is missing or damaged, ValueError where it is no single map of finite
    numbers."""
    depth = read_npy(path, 'copy or export it again')
    depth = depth.squeeze() if depth.ndim == 3 else depth
    with np.errstate(over='ignore'):  # what float32 cannot hold is infinite
        stored = depth.astype(np.float32) if is_map(depth) else depth
    if not is_map(depth) or not np.isfinite(stored).all():
        raise ValueError(
            f'depth file {path} must hold one map (H, W) of finite numbers, 0 = none, got '
            f'{depth.dtype} of shape {depth.shape}; export it again'
        )
    return stored


def fill_map(
    what: object, mend: str, shape: np.ndarray, index: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """The sparse map (H, W) float32, metres, of flat pixel indices and depths. ValueError, with
    `what` and `mend`, where these are no finite depths in a map of that shape."""
    whole = shape.dtype.kind in 'iu' and index.dtype.kind in 'iu' and depth.dtype.kind == 'f'
    if whole and shape.shape == (2,) and index.shape == depth.shape == (index.size,):
        size = math.prod(shape.tolist())
        inside = index.min(initial=0) >= 0 and index.max(initial=0) < size <= MAX_PIXELS
        with np.errstate(over='ignore'):  # what float32 cannot hold is infinite
            stored = depth.astype(np.float32)
        if shape.min() > 0 and inside and np.isfinite(stored).all():
            filled = np.zeros(size, np.float32)
            filled[index] = stored
            return filled.reshape(shape)
    raise ValueError(
        f'{what} holds no depth map: shape {shorten(shape.tolist())}, {index.size} pixels of type '
        f'{index.dtype}, {depth.size} depths of type {depth.dtype}; {mend}'
    )

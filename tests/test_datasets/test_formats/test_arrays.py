"""NumPy and MATLAB files that are damaged or lie about their sizes."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from mmscd.datasets.formats.arrays import (
    camera_matrix,
    fill_map,
    finite_array,
    parse_numbers,
    read_arrays,
    read_depth_npy,
    read_mat,
    read_npy,
)


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(text, data=b'', version=b'\1\0'):
    """A .npy file whose header is that text."""
    text = text.encode() + b'\n'
    return b'\x93NUMPY' + version + struct.pack('<H', len(text)) + text + data


def claim(shape, dtype='<f4', data=bytes(24)):
    return header(f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}}}", data)


ARRAYS = dict(
    a=np.arange(12, dtype='<f4').reshape(3, 4),
    columns=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    big=np.arange(5, dtype='>i2'),
    names=np.array(['ä', 'bc']),
    one=np.array(2.5),
    none=np.zeros((0, 3)),
    mask=np.array([True, False]),
)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_does(tmp_path, save):
    save(tmp_path / 'a.npz', **ARRAYS)
    found = read_arrays(tmp_path / 'a.npz', 'mend it')
    assert list(found) == list(ARRAYS)
    for key, array in ARRAYS.items():
        assert found[key].dtype == array.dtype and found[key].flags.writeable
        np.testing.assert_array_equal(found[key], array)
        np.save(tmp_path / 'a.npy', array)
        np.testing.assert_array_equal(read_npy(tmp_path / 'a.npy', 'mend it'), array)
    assert list(read_arrays(tmp_path / 'a.npz', 'mend it', ['one', 'a'])) == ['one', 'a']


def packed(data, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', method) as archive:
        archive.writestr('a.npy', data)
    return stream.getvalue()


def with_flag(data, flag):
    """A zip whose only member has a flag in both headers."""
    data = bytearray(data)
    data[data.index(b'PK\3\4') + 6] |= flag
    data[data.index(b'PK\1\2') + 8] |= flag
    return bytes(data)


def with_size(data, size):
    """A zip whose directory says that its only member has that size, packed and unpacked."""
    data = bytearray(data)
    struct.pack_into('<II', data, data.index(b'PK\1\2') + 20, size, size)
    return bytes(data)


GOOD = npy(np.arange(6, dtype='<f4'))
LONG = npy(np.arange(5000, dtype='<f4'))
NPY = {
    'empty': (b'', 'it is empty'),
    'html': (b'<!DOCTYPE html>' * 9, 'it is no NumPy file'),
    'truncated': (GOOD[:-1], r'float32 of shape \(6,\) takes 24 bytes, 23 are there'),
    'longer': (GOOD + b'x', r'float32 of shape \(6,\) takes 24 bytes, 25 are there'),
    'huge': (claim((10**16,)), 'takes 40000000000000000 bytes, 24 are there'),
    'negative': (claim((-6,)), 'expected numbers or text'),
    'endless': (claim((0, 10**30), data=b''), ''),
    'token': (header("{'descr': (("), 'its header is damaged'),
    'deep': (header('(' * 5000), 'its header is damaged'),
    'record': (npy(np.zeros(3, [('x', 'f4')])), 'expected numbers or text'),
    'complex': (npy(np.zeros(3, complex)), 'complex128 of shape'),
    'dates': (npy(np.zeros(3, 'M8[s]')), 'expected numbers or text'),
    'objects': (npy(np.array([{}, None]), allow_pickle=True), 'it holds Python objects'),
    'no text': (claim((1,), '<U2', b'\xff' * 8), 'utf-8'),
    'encrypted': (with_flag(packed(GOOD), 1), 'encrypted'),
    'patched': (with_flag(packed(GOOD), 32), 'patched'),
    'method': (packed(GOOD, zipfile.ZIP_LZMA), 'no plain zip'),
    'half a zip': (packed(GOOD)[:-30], 'not a zip file'),
    'huge member': (packed(claim((10**16,))), 'takes 40000000000000000 bytes'),
    'size of member': (with_size(packed(GOOD, 0), 2**31), 'claims 2147483648 bytes'),
    'bomb': (packed(bytes(10**6)), 'it is no NumPy file'),
    'checksum': (packed(LONG, 0).replace(LONG[-8:], b'abcdefgh'), 'CRC'),
}


@pytest.mark.parametrize('kind', NPY)
def test_damaged_arrays_are_named(tmp_path, kind):
    data, told = NPY[kind]
    path = tmp_path / 'a.npy'
    path.write_bytes(data)
    with pytest.raises(OSError, match=rf'(?s)a\.npy cannot be read \(.*{told}.*\); mend it$'):
        read_arrays(path, 'mend it')


def test_every_single_damage_is_one_sentence(tmp_path):
    """Each byte of a small archive changed, and each length cut."""
    path = tmp_path / 'a.npz'
    np.savez_compressed(path, a=np.arange(40, dtype=np.float32), b=np.array(['x']))
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [data[:i] for i in range(0, len(data), 3)]
    for i in range(len(data)):
        damaged.append(data[:i] + bytes([data[i] ^ int(rng.integers(1, 256))]) + data[i + 1 :])
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            read_arrays(path, 'mend it')
        except OSError as error:
            assert 'a.npz cannot be read' in str(error)
            refused += 1
    assert refused > len(damaged) // 2


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.zeros(2))
    with pytest.raises(OSError, match=r"a\.npz cannot be read \(it holds \['x'\] and not \['d'\]"):
        read_npy(tmp_path / 'a.npz', 'mend it', 'd')
    np.save(tmp_path / 'a.npy', np.zeros(2))
    with pytest.raises(OSError, match=r"it holds \['a single array'\] and not \['d'\]"):
        read_npy(tmp_path / 'a.npy', 'mend it', 'd')
    with pytest.raises(FileNotFoundError, match=r'b\.npy does not exist; mend it'):
        read_npy(tmp_path / 'b.npy', 'mend it')


@pytest.mark.parametrize(
    'values',
    [
        np.zeros((2, 0)),
        np.full((2, 2), np.nan),
        np.full((2, 2), 1e300),
        np.zeros((1, 40_000)),
        np.array([['a']]),
    ],
)
def test_what_is_no_depth_map_is_named(tmp_path, values):
    np.save(tmp_path / 'd.npy', values)
    with pytest.raises(ValueError, match=r'd\.npy must hold one map'):
        read_depth_npy(tmp_path / 'd.npy')


INTS = np.array([0, 5], np.uint32)
MAPS = {
    'huge': (np.array([10**6, 10**6]), INTS, np.ones(2, 'f4')),
    'negative': (np.array([-2, -3]), INTS, np.ones(2, 'f4')),
    'outside': (np.array([1, 3]), INTS, np.ones(2, 'f4')),
    'before': (np.array([2, 3]), np.array([-1, 5]), np.ones(2, 'f4')),
    'lengths': (np.array([2, 3]), INTS, np.ones(3, 'f4')),
    'floats': (np.array([2.0, 3.0]), INTS, np.ones(2, 'f4')),
    'nan': (np.array([2, 3]), INTS, np.full(2, np.nan, 'f4')),
    'beyond float32': (np.array([2, 3]), INTS, np.full(2, 1e300)),
    'rank': (np.array([2, 3]), INTS[None], np.ones((1, 2), 'f4')),
    'text': (np.array([2, 3]), INTS, np.array(['a', 'b'])),
}


@pytest.mark.parametrize('kind', MAPS)
def test_what_is_no_sparse_map_is_named(kind):
    with pytest.raises(ValueError, match='^it holds no depth map: shape .*; mend it$'):
        fill_map('it', 'mend it', *MAPS[kind])


def test_a_sparse_map_is_filled():
    filled = fill_map('it', 'mend it', np.array([2, 3]), INTS, np.array([1.5, 7], 'f4'))
    assert filled.dtype == np.float32 and filled.tolist() == [[1.5, 0, 0], [0, 0, 7]]


@pytest.mark.parametrize('value', [True, '3', ['1', '2'], [1, None], [[1], [2, 3]], {}, [9**99, 1]])
def test_only_numbers_are_numbers(value):
    with pytest.raises(ValueError, match='^it: expected 2 finite numbers, got .*; restore'):
        finite_array(value, (2,), 'it')


def test_numbers_of_a_text():
    assert parse_numbers('1 2.5\n-3e2 4', (2, 2), 'it').tolist() == [[1, 2.5], [-300, 4]]
    for text in ('1 2 3', '1 2 3 x', '1 2 3 nan'):
        with pytest.raises(ValueError, match='^it: expected 4 finite numbers, got .*3'):
            parse_numbers(text, (2, 2), 'it')
    with pytest.raises(ValueError, match='^it: fx, fy, cx, cy: expected 4 finite numbers'):
        camera_matrix([True, None, 3, 4], 'it')


def test_damaged_mat_files_never_crash(tmp_path):
    """SciPy's reader ends the process at some of these."""
    scipy_io = pytest.importorskip('scipy.io')
    rng = np.random.default_rng(1)
    for compressed in (False, True):
        path = tmp_path / 'a.mat'
        stored = dict(grid=rng.random((5, 3, 2)), text='abc', cell=np.array([1, 'a'], object))
        scipy_io.savemat(path, stored, do_compression=compressed)
        data = path.read_bytes()
        np.testing.assert_array_equal(read_mat(path, 'grid'), stored['grid'])
        for i in range(0, len(data), 2):
            path.write_bytes(data[:i] + bytes(rng.integers(0, 256, 3).tolist()) + data[i + 3 :])
            try:
                assert read_mat(path, 'grid').dtype.kind in 'fiu'
            except (OSError, ValueError) as error:
                assert 'a.mat' in str(error)
            path.write_bytes(data[:i])
            with pytest.raises((OSError, ValueError), match=r'a\.mat'):
                read_mat(path, 'cell')


def test_a_mat_file_does_not_unpack_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr('mmscd.datasets.formats.arrays._MAT_BYTES', 1000)
    packed = zlib.compress(bytes(10**6))
    start = b'MATLAB 5.0 MAT-file'.ljust(124) + b'\0\1IM'
    (tmp_path / 'a.mat').write_bytes(start + struct.pack('<II', 15, len(packed)) + packed)
    with pytest.raises(OSError, match=r'a\.mat is truncated or damaged \(an element does not unp'):
        read_mat(tmp_path / 'a.mat', 'grid')

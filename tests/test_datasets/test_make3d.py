"""Make3D: a tiny tree with MAT files written byte by byte."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from mmscd.datasets import CropFrames, LoadFrames, Make3DDataset
from mmscd.datasets.formats.arrays import read_mat

NAME = 'op1-p-015t000'


def element(kind, data):
    return struct.pack('<II', kind, len(data)) + data + bytes(-len(data) % 8)


def mat_bytes(arrays, compressed=False):
    """A MAT file of level 5 with double arrays by name."""
    data = b'MATLAB 5.0 MAT-file'.ljust(124) + struct.pack('<H', 0x0100) + b'IM'
    for name, array in arrays.items():
        matrix = element(6, struct.pack('<II', 6, 0))
        matrix += element(5, np.array(array.shape, '<i4').tobytes())
        if len(name) <= 4:  # a small element
            matrix += struct.pack('<HH', 1, len(name)) + name.encode().ljust(4, b'\0')
        else:
            matrix += element(1, name.encode())
        matrix = element(14, matrix + element(9, array.astype('<f8').tobytes(order='F')))
        if compressed:
            packed = zlib.compress(matrix)
            matrix = struct.pack('<II', 15, len(packed)) + packed
        data += matrix
    return data


@pytest.mark.parametrize('compressed', [False, True])
def test_read_mat(tmp_path, compressed):
    rng = np.random.default_rng(0)
    arrays = dict(x=rng.random((2, 3)), Position3DGrid=rng.random((5, 4, 3)))
    path = tmp_path / 'a.mat'
    path.write_bytes(mat_bytes(arrays, compressed))
    for name, array in arrays.items():
        np.testing.assert_array_equal(read_mat(path, name), array)
    with pytest.raises(ValueError, match=r"a\.mat has no numeric array 'y', only \['x', 'Pos"):
        read_mat(path, 'y')
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(OSError, match=r'a\.mat is truncated or damaged'):
        read_mat(path, 'Position3DGrid')
    path.write_bytes(b'x' * 200)
    with pytest.raises(ValueError, match='no MATLAB file'):
        read_mat(path, 'x')


def test_read_mat_as_scipy(tmp_path):
    scipy_io = pytest.importorskip('scipy.io')
    stored = dict(
        text='hello',
        a=np.arange(6, dtype=np.uint8).reshape(2, 3),
        grid=np.random.default_rng(1).normal(size=(7, 3, 4)).astype(np.float32),
    )
    for compressed in (False, True):
        scipy_io.savemat(tmp_path / 'b.mat', stored, do_compression=compressed)
        np.testing.assert_array_equal(read_mat(tmp_path / 'b.mat', 'a'), stored['a'])
        np.testing.assert_array_equal(read_mat(tmp_path / 'b.mat', 'grid'), stored['grid'])


@pytest.fixture
def tiny(tmp_path):
    for folder in ('Test134', 'Gridlaserdata'):
        (tmp_path / folder).mkdir()
    picture = np.zeros((2272, 1704, 3), np.uint8)
    picture[710:1562] = 255
    cv2.imwrite(str(tmp_path / f'Test134/img-{NAME}.jpg'), picture)
    grid = np.zeros((55, 305, 4))
    grid[..., 3] = np.arange(55)[:, None] + 1
    data = mat_bytes(dict(Position3DGrid=grid), compressed=True)
    (tmp_path / f'Gridlaserdata/depth_sph_corr-{NAME}.mat').write_bytes(data)
    return tmp_path


def test_c1_windows(tiny, split):
    """The window of the input (rows 710..1562) and the rows 17..38 of the truth."""
    dataset = Make3DDataset(str(tiny), split(f'img-{NAME}.jpg'), test_mode=True)
    info = dataset.get_data_info(0)
    assert info['gt_depth'].shape == (21, 305) and info['gt_depth'].dtype == np.float32
    np.testing.assert_array_equal(info['gt_depth'][:, 0], np.arange(17, 38) + 1)
    crop = CropFrames(window=(710, 1562, None, None), crop_gt=False)
    results = crop(LoadFrames()(info))
    assert results['frames'][0].shape == (852, 1704, 3) and results['ori_shape'] == (852, 1704)
    assert results['frames'][0].mean() > 250  # exactly the white part
    assert results['gt_depth'].shape == (21, 305)
    assert results['K_ori'][1, 2] == 2271 / 2 - 710
    whole = Make3DDataset(str(tiny), crop=False, test_mode=True)
    assert whole.get_data_info(0)['gt_depth'].shape == (55, 305)


def test_bad_input_is_named(tiny, split):
    with pytest.raises(FileNotFoundError, match=r'split\.txt:1: no img-x\.jpg'):
        Make3DDataset(str(tiny), split('x'))
    path = tiny / f'Gridlaserdata/depth_sph_corr-{NAME}.mat'
    path.write_bytes(mat_bytes(dict(Position3DGrid=np.full((55, 305, 4), np.nan))))
    with pytest.raises(ValueError, match=r't000\.mat: Position3DGrid must be 55 x 305 x 4 finite'):
        Make3DDataset(str(tiny), test_mode=True)[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'no depth_sph_corr-op1-p-015t000\.mat in'):
        Make3DDataset(str(tiny), test_mode=True)
    (tiny / f'Test134/img-{NAME}.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='unpack Test134.tar.gz'):
        Make3DDataset(str(tiny))

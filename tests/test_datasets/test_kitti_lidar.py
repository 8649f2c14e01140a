"""LiDAR projection against a plain loop, and the cache under several processes."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.formats.depth_cache import DepthCache
from mmscd.datasets.formats.kitti_calibration import (
    KITTICalibration,
    project_velodyne,
    stereo_from_projections,
)
from mmscd.datasets.formats.lidar import read_points

FOLDER = '2011_09_26/2011_09_26_drive_0001_sync'
DATA = os.environ.get('MMSCD_DATA')
needs_data = pytest.mark.skipif(not DATA, reason='MMSCD_DATA (real KITTI frames) is not set')


def plain_projection(points, matrix, size, axis):
    """Point by point."""
    depth = np.zeros((size[1], size[0]))
    for x, y, z in points[:, :3].astype(np.float64):
        pixel = matrix @ [x, y, z, 1]
        if x < 0 or pixel[2] <= 0:
            continue
        u, v = (int(np.round(pixel[i] / pixel[2])) - 1 for i in (0, 1))
        value = pixel[2] if axis == 'camera_z' else x
        if 0 <= u < size[0] and 0 <= v < size[1] and value > 0:
            if depth[v, u] == 0 or value < depth[v, u]:
                depth[v, u] = value
    return depth


@pytest.mark.parametrize('axis', ['camera_z', 'velodyne_x'])
@pytest.mark.parametrize('side', ['l', 'r'])
def test_projection_equals_plain_loop(kitti, split, axis, side):
    dataset = KITTIRawDataset(
        kitti, split(f'{FOLDER} 2 {side}'), frame_ids=(0,), test_mode=True, depth_axis=axis
    )
    P = {'l': [[40, 0, 31, 2.0], [0, 40, 12, 0.4], [0, 0, 1, 0.01]]}
    P['r'] = [[40, 0, 31, -18.0], *P['l'][1:]]
    cam_velo = [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.27], [0, 0, 0, 1]]
    points = np.fromfile(kitti / FOLDER / 'velodyne_points/data/0000000002.bin', 'f4')
    expected = plain_projection(
        points.reshape(-1, 4), np.array(P[side]) @ np.array(cam_velo), (64, 24), axis
    )
    depth = dataset[0]['gt_depth']
    assert depth.dtype == np.float32 and (expected > 0).sum() > 50
    assert np.array_equal(depth, expected.astype(np.float32))


def test_nearest_return_wins_and_rear_is_dropped():
    matrix = np.array([[40.0, 0, 31, 0], [0, 40, 12, 0], [0, 0, 1, 0]])
    # here the "LiDAR" is the camera: its x is the image x, so all x >= 0
    points = np.array([[0.0, 0, 9], [0, 0, 5], [0, 0, 7], [-1, 0, 5], [0, 0, -5]])
    depth = project_velodyne(points, matrix, (64, 24))
    assert depth[11, 30] == 5 and (depth > 0).sum() == 1
    with pytest.raises(ValueError, match="got 'x'"):
        project_velodyne(points, matrix, (64, 24), 'x')


def test_broken_scan(kitti, split, tmp_path):
    dataset = KITTIRawDataset(kitti, split(f'{FOLDER} 2 l'), frame_ids=(0,), test_mode=True)
    path = kitti / FOLDER / 'velodyne_points/data/0000000002.bin'
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match='0000000002.bin has 6397 bytes, .* multiple of 16'):
        dataset[0]
    path.write_bytes(b'')
    with pytest.raises(ValueError, match='has 0 bytes'):
        read_points(path)
    with pytest.raises(FileNotFoundError, match='gone.bin does not exist'):
        read_points(tmp_path / 'gone.bin')


def test_cache_is_lossless_and_keyed(kitti, split, tmp_path):
    options = dict(ann_file=split(f'{FOLDER} 2 l'), frame_ids=(0,), test_mode=True)
    cache = dict(gt_cache_dir=str(tmp_path / 'cache'))
    fresh = KITTIRawDataset(kitti, **options)[0]['gt_depth']
    assert np.array_equal(KITTIRawDataset(kitti, **options, **cache)[0]['gt_depth'], fresh)
    files = list((tmp_path / 'cache').rglob('*'))
    assert sum(path.is_file() for path in files) == 1
    scan = kitti / FOLDER / 'velodyne_points/data/0000000002.bin'
    scan.write_bytes(scan.read_bytes()[:16])  # read from the cache from now on
    cached = KITTIRawDataset(kitti, **options, **cache)[0]['gt_depth']
    assert cached.dtype == np.float32 and np.array_equal(cached, fresh)
    # another axis or another calibration is another entry
    other = KITTIRawDataset(kitti, depth_axis='velodyne_x', **options, **cache)[0]['gt_depth']
    assert (other > 0).sum() <= 1
    calibration = kitti / '2011_09_26/calib_velo_to_cam.txt'
    calibration.write_text(calibration.read_text().replace('-0.27', '-0.28'))
    assert (KITTIRawDataset(kitti, **options, **cache)[0]['gt_depth'] > 0).sum() <= 1


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 half a file', None])
def test_broken_cache_file_is_built_again(tmp_path, content):
    cache = DepthCache(str(tmp_path))
    depth = np.zeros((4, 5), np.float32)
    depth[1, 2] = 3.25
    cache.get('a/b', b'key', lambda: depth)
    path = cache.path('a/b', b'key')
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    assert np.array_equal(cache.get('a/b', b'key', lambda: depth), depth)
    assert np.array_equal(cache.get('a/b', b'key', lambda: pytest.fail('not cached')), depth)


def _read_often(root, barrier, queue):
    depth = np.random.default_rng(0).uniform(1, 80, (100, 300)).astype(np.float32)
    cache = DepthCache(root)
    barrier.wait()
    for name in range(30):
        found = cache.get(f'drive/{name}', b'', lambda: depth)
        if not np.array_equal(found, depth):
            queue.put(name)
    queue.put('done')


def test_cache_race(tmp_path):
    context = multiprocessing.get_context('fork')
    barrier, queue = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=_read_often, args=(str(tmp_path), barrier, queue)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    assert [queue.get(timeout=60) for _ in workers] == ['done'] * 4
    for worker in workers:
        worker.join()
    # no temporary files stay behind
    assert len(list((tmp_path / 'drive').iterdir())) == 30


@needs_data
def test_official_calibration():
    calibration = KITTICalibration(Path(DATA) / 'kitti_raw/2011_09_26')
    left, right = calibration.projection('l'), calibration.projection('r')
    K, T = calibration.intrinsics('l'), stereo_from_projections(left, right, 'calibration')
    assert (K[0, 0], K[0, 2], K[1, 2]) == pytest.approx((721.5377, 609.5593, 172.854))
    assert calibration.size('l') == (1242, 375)
    assert T[0, 3] == pytest.approx(-0.5327, abs=5e-5) and abs(T[1:3, 3]).max() < 0.01
    assert stereo_from_projections(right, left, 'calibration')[0, 3] == pytest.approx(
        0.5327, abs=5e-5
    )


@needs_data
def test_real_scan_equals_plain_loop():
    root = Path(DATA) / 'kitti_raw/2011_09_26'
    matrix = KITTICalibration(root).velodyne_to_image('l')
    scan = root / '2011_09_26_drive_0013_sync/velodyne_points/data/0000000090.bin'
    points = read_points(scan)[::4]
    depth = project_velodyne(points, matrix, (1242, 375))
    expected = plain_projection(points, matrix, (1242, 375), 'camera_z')
    assert (depth > 0).sum() > 4000
    assert np.allclose(depth, expected, atol=1e-5)
    # road and cars in the lower half, nothing in the sky
    assert (depth[:100] > 0).sum() == 0 and 4 < depth[depth > 0].min() < 8

"""Files of data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io
from readers import add
from tiny import DATE, make_kitti, picture, write_image, write_text

import mmscd.datasets as ds

DEPTH = np.full((64, 96), 2560, np.uint16)
EYE = dict(rotation=[1.0, 0, 0, 0], translation=[0.0, 0, 0])
POSE = dict(rotation=dict(qw=1.0, qx=0.0, qy=0.0, qz=0.0), translation=dict(x=0.0, y=0.0, z=0.0))


def samples(dataset: Any) -> list[Any]:
    """What training and evaluation take of every sample."""
    keys = ('K', 'gt_depth', 'T_stereo', 'gt_pose', 'frames')
    rows = [ds.LoadFrames()(dataset.get_data_info(i)) for i in range(len(dataset))]
    return [[row[key] for key in keys if key in row] for row in rows]


def data_set(name: str, *args: Any, **options: Any) -> Callable[[Path], Any]:
    """A door: a data set of a folder and its samples; `{}` in an option stands for the folder."""

    def read(folder: Path) -> Any:
        filled = {k: v.format(folder) if isinstance(v, str) else v for k, v in options.items()}
        words = [a.format(folder) if isinstance(a, str) else a for a in args]
        return samples(getattr(ds, name)(str(folder), *words, **filled))

    return read


def kitti_cache(folder: Path) -> None:
    """With projected LiDAR."""
    make_kitti(folder)
    kitti_cached(folder)


kitti = data_set('KITTIRawDataset', '{}/train.txt', frame_ids=(0, -1, 1, 's'), test_mode=True)
kitti_cached = data_set(
    'KITTIRawDataset', '{}/test.txt', frame_ids=(0,), test_mode=True, gt_cache_dir='{}/cache'
)
improved = data_set('KITTIRawDataset', '{}/test.txt', frame_ids=(0,), test_mode=True, gt='improved')
add('KITTI split', 'text', make_kitti, kitti, 'train.txt', also=('0000000', DATE))
add('KITTI calibration', 'text', make_kitti, kitti, f'{DATE}/calib_*.txt', also=('.png',))
add('KITTI scan', 'bytes', make_kitti, kitti, '**/000000000[1-3].bin')
add('image to train', 'image', make_kitti, kitti, '**/image_02/data/0000000002.png')
add('depth cache', 'npz', kitti_cache, kitti_cached, 'cache/**/*.npz')
add('depth PNG', 'image', make_kitti, improved, '**/proj_depth/**/0000000001.png')


def odometry(folder: Path) -> None:
    """A sequence of three frames."""
    for frame in range(3):
        write_image(folder / f'sequences/09/image_2/{frame:06d}.png', picture(frame))
    lines = [
        f'{name}: 60 0 47 {shift} 0 60 31 0 0 0 1 0\n' for name, shift in (('P2', 1), ('P3', -9))
    ]
    write_text(folder / 'sequences/09/calib.txt', ''.join(lines))
    write_text(folder / 'poses/09.txt', '1 0 0 0 0 1 0 0 0 0 1 0\n' * 3)


walk = data_set('KITTIOdometryDataset', ['09'], frame_ids=(0,), with_pose=True)
add('odometry poses', 'text', odometry, walk, 'poses/09.txt')
add('odometry calibration', 'text', odometry, walk, '**/calib.txt', also=('000000.png',))


def kitti_2015(folder: Path) -> None:
    """A stereo pair."""
    for name in ('image_2', 'image_3'):
        write_image(folder / f'training/{name}/000000_10.png', picture())
    write_image(folder / 'training/disp_occ_0/000000_10.png', DEPTH)
    text = 'P_rect_02: 60 0 47 5 0 60 31 0 0 0 1 0\nP_rect_03: 60 0 47 -45 0 60 31 0 0 0 1 0\n'
    write_text(folder / 'training/calib_cam_to_cam/000000.txt', text)


stereo = data_set('KITTI2015Dataset', frame_ids=(0, 's'), test_mode=True)
add('KITTI 2015 calibration', 'text', kitti_2015, stereo, '**/000000.txt')
add('KITTI 2015 disparity', 'image', kitti_2015, stereo, '**/disp_occ_0/*.png')


def depth_benchmark(folder: Path) -> None:
    """One image of the selection."""
    root, name = (
        folder / 'val_selection_cropped',
        '2011_09_26_drive_0002_sync_{}_0000000005_image_02',
    )
    write_image(root / f'image/{name.format("image")}.png', picture())
    write_image(root / f'groundtruth_depth/{name.format("groundtruth_depth")}.png', DEPTH)
    text = '6e+01 0 4.7e+01 0 6e+01 31 0 0 1\n'
    write_text(root / f'intrinsics/{name.format("image")}.txt', text)


selection = data_set('KITTIDepthBenchmarkDataset', test_mode=True)
add('depth benchmark K', 'text', depth_benchmark, selection, '**/intrinsics/*.txt')


def cityscapes(folder: Path) -> None:
    """One image of its own size."""
    name = 'aachen/aachen_000001_000019'
    image = cv2.resize(picture(), (2048, 1024))
    write_image(folder / f'leftImg8bit/train/{name}_leftImg8bit.png', image)
    disparity = np.full((1024, 2048), 64 * 256 + 1, np.uint16)
    write_image(folder / f'disparity/train/{name}_disparity.png', disparity)
    camera = dict(
        intrinsic=dict(fx=2262.5, fy=2265.3, u0=1096.9, v0=513.1),
        extrinsic=dict(baseline=0.2093, x=1.7),
    )
    write_text(folder / f'camera/train/{name}_camera.json', json.dumps(camera))


city = data_set('CityscapesDataset', frame_ids=(0,), test_mode=True)
add('Cityscapes camera', 'json', cityscapes, city, '**/*camera.json')
add('Cityscapes disparity', 'image', cityscapes, city, '**/*disparity.png', sparse=3)


def nuscenes(folder: Path) -> None:
    """A scene of two keyframes."""
    K = [[60.0, 0, 47], [0, 60, 31], [0, 0, 1]]
    tables: dict[str, list] = dict(
        scene=[dict(name='scene-0001', description='Rain, truck', first_sample_token='s0')],
        sample=[dict(token='s0', next='s1'), dict(token='s1', next='')],
        sensor=[dict(token=name, channel=name) for name in ('CAM_FRONT', 'LIDAR_TOP')],
        calibrated_sensor=[
            dict(token='c', sensor_token='CAM_FRONT', camera_intrinsic=K, **EYE),
            dict(token='l', sensor_token='LIDAR_TOP', camera_intrinsic=[], **EYE),
        ],
        ego_pose=[dict(token='p', **EYE)],
        sample_data=[],
    )
    scan = np.random.default_rng(0).uniform(0, 20, (200, 5)).astype('<f4')
    for i in (0, 1):
        image, cloud = f'samples/CAM_FRONT/{i}.jpg', f'samples/LIDAR_TOP/{i}.bin'
        write_image(folder / image, picture(i))
        write_text(folder / cloud, '')
        scan.tofile(folder / cloud)
        common = dict(sample_token=f's{i}', ego_pose_token='p', is_key_frame=True)
        shot = dict(common, token=f'c{i}', calibrated_sensor_token='c', filename=image)
        shot |= dict(prev='c0' if i else '', next='' if i else 'c1', width=96, height=64)
        sweep = dict(common, token=f'l{i}', calibrated_sensor_token='l', filename=cloud)
        tables['sample_data'] += [shot, dict(sweep, prev='', next='', width=0, height=0)]
    for name, rows in tables.items():
        write_text(folder / f'v1.0-trainval/{name}.json', json.dumps(rows))


def read_nuscenes(folder: Path) -> Any:
    """With and without neighbours."""
    one = data_set('NuScenesDataset', split='train', frame_ids=(0,), test_mode=True)
    return one(folder), data_set('NuScenesDataset', split='train', frame_ids=(0, 1))(folder)


tables_named = ('.jpg', '.bin', 'v1.0-trainval')
add('nuScenes tables', 'json', nuscenes, read_nuscenes, '**/*.json', also=tables_named)
add('nuScenes scan', 'bytes', nuscenes, read_nuscenes, '**/*.bin')


def ddad(folder: Path) -> None:
    """A scene of two samples."""
    index = dict(scene_splits={'0': dict(filenames=['000000/scene_a.json'])})
    write_text(folder / 'ddad.json', json.dumps(index))
    scene, scan = folder / '000000', np.random.default_rng(0).uniform(0, 20, (200, 4))
    rows, chosen = [], []
    for i in (0, 1):
        image, cloud = f'rgb/CAMERA_01/{i}.jpg', f'point_cloud/LIDAR/{i}.npz'
        write_image(scene / image, picture(i))
        write_text(scene / cloud, '')
        np.savez(scene / cloud, data=scan.astype(np.float32))
        shown = dict(image=dict(filename=image, width=96, height=64, pose=POSE))
        swept = dict(point_cloud=dict(filename=cloud, pose=POSE))
        rows.append(dict(key=f'c{i}', id=dict(name='CAMERA_01'), datum=shown))
        rows.append(dict(key=f'l{i}', id=dict(name='LIDAR'), datum=swept))
        chosen.append(dict(datum_keys=[f'c{i}', f'l{i}'], calibration_key='k'))
    write_text(scene / 'scene_a.json', json.dumps(dict(data=rows, samples=chosen)))
    K = dict(fx=60.0, fy=60.0, cx=47.0, cy=31.0)
    write_text(scene / 'calibration/k.json', json.dumps(dict(names=['CAMERA_01'], intrinsics=[K])))


scenes = data_set('DDADDataset', frame_ids=(0,), test_mode=True)
add('DDAD json', 'json', ddad, scenes, '**/*.json', also=('.jpg', 'point_cloud'))
add('DDAD scan', 'npz', ddad, scenes, '**/LIDAR/*.npz')


def make3d(folder: Path) -> None:
    """One image and its scan."""
    write_image(folder / 'Test134/img-a.jpg', np.zeros((2272, 1704, 3), np.uint8))
    (folder / 'Gridlaserdata').mkdir()
    grid = np.ones((55, 305, 4))
    scipy.io.savemat(folder / 'Gridlaserdata/depth_sph_corr-a.mat', dict(Position3DGrid=grid))
    write_text(folder / 'split.txt', 'img-a.jpg\n')


laser = data_set('Make3DDataset', '{}/split.txt', test_mode=True)
add('Make3D scan', 'mat', make3d, laser, '**/*.mat')
add('Make3D split', 'text', make3d, laser, 'split.txt', also=('Test134', 'Gridlaser'), sparse=3)


def robotcar(folder: Path) -> None:
    """The night's drive."""
    root = folder / '2014-12-16-18-44-24'
    for stamp in range(100, 103):
        write_image(root / f'rgb/{stamp}.png', picture(stamp))
    (root / 'depth').mkdir()
    np.save(root / 'intrinsic.npy', np.array([[60.0, 0, 47], [0, 60, 31], [0, 0, 1]]))
    np.save(root / 'depth/101.npy', np.full((64, 96), 10.0))
    write_text(root / 'test_split.txt', '101\n')


night = data_set('RobotCarDataset', frame_ids=(0,), test_mode=True)
add('RobotCar K', 'npy', robotcar, night, '**/intrinsic.npy', also=('rgb',))
add('RobotCar depth', 'npy', robotcar, night, '**/depth/*.npy')
add('RobotCar split', 'text', robotcar, night, '**/test_split.txt', also=('rgb',), sparse=2)


def driving_stereo(folder: Path) -> None:
    """One weather."""
    sequence = '2018-10-25-07-37-26'
    for kind in ('left', 'right'):
        name = f'{kind}-image-full-size/{sequence}_2018-10-25-07-45-25-505.png'
        write_image(folder / 'rainy' / name, picture())
    name = f'depth-map-full-size/{sequence}_2018-10-25-07-45-25-505.png'
    write_image(folder / 'rainy' / name, DEPTH)
    text = 'P_rect_101: 60 0 47 0 0 60 31 0 0 0 1 0\nP_rect_103: 60 0 47 -27 0 60 31 0 0 0 1 0\n'
    write_text(folder / f'calib/full-image-calib/{sequence}.txt', text)


weather = data_set(
    'DrivingStereoDataset', size='full', weathers=['rainy'], frame_ids=(0, 's'), test_mode=True
)
add('DrivingStereo calibration', 'text', driving_stereo, weather, '**/2018-10-25-07-37-26.txt')

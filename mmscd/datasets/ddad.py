"""DDAD: six cameras and long-range LiDAR of Toyota Research Institute."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from mmscd.registry import DATASETS
from mmscd.utils.schema import check, read_json, shorten

from .base import BaseDepthDataset, Sample
from .formats.arrays import camera_matrix
from .formats.depth_cache import DepthCache
from .formats.file_index import FileIndex
from .formats.lidar import project_points, read_points, rigid_pose
from .frames import windows
from .options import choose

# keys of `scene_splits` (dgp.proto.dataset.proto, enum DatasetSplit)
SPLITS = {'train': '0', 'val': '1', 'test': '2'}
_MEND = 'restore it from DDAD.tar'
_POSE = dict(rotation=dict, translation=dict)
_IMAGE = dict(image=dict(filename=str, width=int, height=int, pose=_POSE))
_SCAN = dict(point_cloud=dict(filename=str, pose=_POSE))
_SCENE = dict(
    data=[dict(key=str, id=dict(name=str), datum=dict)],
    samples=[dict(datum_keys=[str], calibration_key=str)],
)


def _pose(stored: Mapping[str, Any], what: str) -> np.ndarray:
    """T (4, 4) of a `pose` or an `extrinsics` entry."""
    rotation, translation = stored['rotation'], stored['translation']
    return rigid_pose(
        [rotation.get(key) for key in ('qw', 'qx', 'qy', 'qz')],
        [translation.get(key) for key in 'xyz'],
        what,
    )


@DATASETS.register_module()
class DDADDataset(BaseDepthDataset):
    """Frames of one camera of DDAD, depth from the aggregated LiDAR.

    Layout (README of https://github.com/TRI-ML/DDAD, format of https://github.com/TRI-ML/dgp):
    `ddad.json` with `scene_splits` (0 train, 1 val), `<scene>/scene_<hash>.json` with samples (10
    Hz) and data (image or point cloud, file, pose T_world_sensor at its time stamp),
    `<scene>/calibration/<key>.json` (K), `<scene>/rgb/CAMERA_01/<stamp>.jpg` (1936x1216) and
    `<scene>/point_cloud/LIDAR/<stamp>.npz`. LiDAR and camera fire at different moments: points go
    through the world with the two poses, as in dgp. Pixel round(u, v), the nearest point wins.

    Protocol (preset `ddad`): that of PackNet-SfM (CVPR 2020, configs `*_ddad.yaml`): 3950 images of
    CAMERA_01 in val, 0 to 200 m, no crop, per-image median scaling.

    Args:
        data_root: see above.
        frame_ids: ints are offsets in samples of the scene. There is no `'s'`.
        split: `train`, `val` or `test`.
        camera: `CAMERA_01` (front), `CAMERA_05` to `CAMERA_09`. Scenes without it are left out.
        index_file: the json under `data_root`.
        gt_cache_dir: folder where projected depth is kept; None: projected every time.
        **kwargs: of `BaseDepthDataset`.
    """

    has_stereo = has_splits = False
    camera_keys = ('K',)

    def __init__(
        self,
        *args: Any,
        split: str = 'train',
        camera: str = 'CAMERA_01',
        index_file: str = 'ddad.json',
        gt_cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = choose('split', split, tuple(SPLITS))
        self.camera, self.index_file = camera.upper(), index_file
        self.cache = DepthCache(gt_cache_dir)
        super().__init__(*args, **kwargs)

    def list_samples(self, index: FileIndex) -> list[Sample]:
        """The samples of all scenes that have all neighbours."""
        samples = [sample for path in self._scene_files() for sample in self._samples(path)]
        if not samples:
            problem = f'no scene of split {self.split!r} has {self.camera}'
            raise ValueError(f'{self.dataset_name}: {problem}; correct `camera`')
        return samples

    def _scene_files(self) -> list[str]:
        path = os.path.join(self.data_root, self.index_file)
        mend = f'{_MEND}, or correct data_root and index_file'
        splits = read_json(path, mend, dict(scene_splits={str: {'filenames?': [str]}}))
        listed = splits['scene_splits'].get(SPLITS[self.split], {}).get('filenames', [])
        if not listed:
            asked = f'{self.split!r} (key {SPLITS[self.split]} of scene_splits)'
            raise ValueError(f'{path} lists no scenes of split {asked}; correct `split`')
        return [os.path.join(self.data_root, name) for name in listed]

    def _samples(self, path: str) -> Iterator[Sample]:
        """Samples of a scene that have all neighbours."""
        scene = read_json(path, f'{_MEND}, or correct {self.index_file}', _SCENE)
        data = {datum['key']: datum for datum in scene['data']}
        if len(data) < len(scene['data']):
            raise ValueError(f'{path} has two data of one key; {_MEND}')
        rows = []
        for sample in scene['samples']:
            if lacking := [key for key in sample['datum_keys'] if key not in data]:
                raise ValueError(f'{path} lacks the data {shorten(lacking)} of a sample; {_MEND}')
            named = {data[k]['id']['name'].upper(): data[k] for k in sample['datum_keys']}
            camera, lidar = named.get(self.camera), named.get('LIDAR')
            for datum, kind in ((camera, _IMAGE), (lidar, _SCAN)):
                if datum is not None:
                    check(datum['datum'], kind, f'{path}: datum {shorten(datum["key"])}', _MEND)
            rows.append((camera, lidar, sample['calibration_key']))
        if not rows or rows[0][0] is None:
            return
        intrinsics = cache(partial(self._intrinsics, os.path.dirname(path)))
        for positions in windows(len(rows), self.frame_ids):
            _, lidar, key = rows[positions[0]]
            info, problem = self._sample(path, [rows[i][0] for i in positions], lidar)
            info['K'] = intrinsics(key).tolist()
            yield f'{path} sample {positions[0]}', info, problem

    def _sample(
        self, path: str, frames: list[dict | None], lidar: dict | None
    ) -> tuple[dict, str | None]:
        folder = os.path.dirname(path)
        images = [frame['datum']['image'] for frame in frames if frame is not None]
        if len(images) < len(frames):
            return {}, f'a frame of {self.camera} is not listed'
        info: dict[str, Any] = dict(
            frame_paths=[os.path.join(folder, image['filename']) for image in images],
            camera_size=(images[0]['width'], images[0]['height']),
            camera_path=path,
        )
        if self.with_gt:
            if lidar is None:
                return info, 'no LIDAR is listed'
            cloud = lidar['datum']['point_cloud']
            info['lidar_path'] = os.path.join(folder, cloud['filename'])
            T_world_lidar = _pose(cloud['pose'], f'{path}: pose of {cloud["filename"]}')
            T_world_camera = _pose(images[0]['pose'], f'{path}: pose of {images[0]["filename"]}')
            info['T_camera_lidar'] = np.linalg.solve(T_world_camera, T_world_lidar).tolist()
        return info, None

    def _intrinsics(self, folder: str, key: str) -> np.ndarray:
        path = os.path.join(folder, 'calibration', f'{key}.json')
        stored = read_json(path, _MEND, dict(names=[str], intrinsics=[dict]))
        names = [name.upper() for name in stored['names']]
        if self.camera not in names[: len(stored['intrinsics'])]:
            raise ValueError(f'{path} has no {self.camera}, only {shorten(names)}; {_MEND}')
        values = stored['intrinsics'][names.index(self.camera)]
        what = f'{path}: {self.camera}'
        return camera_matrix([values.get(k) for k in ('fx', 'fy', 'cx', 'cy')], what)

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the frame at its original size."""
        K, T = np.array(info['K']), np.array(info['T_camera_lidar'])
        size = tuple(info['camera_size'])
        name = os.path.splitext(os.path.relpath(info['frame_paths'][0], self.data_root))[0]
        return self.cache.get(
            name,
            K.tobytes() + T.tobytes() + repr(size).encode(),
            lambda: project_points(read_points(info['lidar_path']), [T[:3], K], size),
        )

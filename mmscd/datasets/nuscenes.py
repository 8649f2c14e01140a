"""nuScenes: day, night and rain, LiDAR projected without the devkit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.depth_cache import DepthCache
from .formats.file_index import FileIndex
from .formats.lidar import project_points, read_points
from .formats.nuscenes_splits import SPLITS
from .formats.nuscenes_tables import NuScenesTables
from .frames import time_offset
from .options import choose, choose_all

CONDITIONS = ('day', 'rain', 'night')
_NEAREST = 1.0  # metres


def scene_condition(description: str) -> str:
    """`night`, `rain` (by day) or `day` (without rain), from the description of a scene, as md4all
    (ICCV 2023) derives them; rain at night counts as night."""
    text = description.lower()
    return 'night' if 'night' in text else 'rain' if 'rain' in text else 'day'


@DATASETS.register_module()
class NuScenesDataset(BaseDepthDataset):
    """Keyframes of one camera of nuScenes, depth from LIDAR_TOP.

    Layout (https://www.nuscenes.org/nuscenes#download): `v1.0-trainval/*.json`, `samples/CAM_FRONT`
    and `samples/LIDAR_TOP` (keyframes), `sweeps/CAM_FRONT` (between them, for training). LiDAR
    files are float32 x, y, z, intensity, ring. A point goes sensor -> ego -> global -> ego ->
    camera, with the poses at the two time stamps; points nearer than 1 m are dropped as in the
    devkit (`map_pointcloud_to_image`), the pixel is round(u, v), the nearest point wins. The LiDAR
    stands above the camera, so some points lie behind what the camera sees: the published ground
    truths have them, too.

    Protocols: `nuscenes_night` is that of RNW (Wang et al., ICCV 2021): the 500 images that its
    `split_files/nuscenes/night_test_split.txt` names (give it as `ann_file`), 1e-5 to 60 m. Its
    ground truth was never published; we project as above. `nuscenes` is that of md4all: official
    val scenes by condition, 0.1 to 80 m.

    Args:
        data_root: see above.
        ann_file: lines with the name of an image, with or without folder and extension
            (`n015-2018-11-21-19-21-35+0800__CAM_FRONT__1542799617112460`), or a sample token; None:
            all keyframes of `split` and `conditions`.
        frame_ids: ints are offsets in the camera's frames, see `neighbours`.
        version: folder of the tables.
        split: `train`, `val` or `test` (official scenes), `mini_train`, `mini_val`; None: all
            scenes.
        conditions: out of `day`, `rain`, `night` (see `scene_condition`); None: all.
        camera: channel of the camera.
        neighbours: `sweeps` (12 Hz) or `keyframes` (2 Hz).
        gt_cache_dir: folder where projected depth is kept; None: projected every time.
        **kwargs: of `BaseDepthDataset`. There is no `'s'`.
    """

    has_stereo = False
    camera_keys = ('K',)

    def __init__(
        self,
        *args: Any,
        version: str = 'v1.0-trainval',
        split: str | None = None,
        conditions: Sequence[str] | None = None,
        camera: str = 'CAM_FRONT',
        neighbours: str = 'sweeps',
        gt_cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.version, self.camera = version, camera
        self.split = choose('split', split, (None, *SPLITS))
        self.conditions = choose_all('conditions', conditions, CONDITIONS)
        self.neighbours = choose('neighbours', neighbours, ('sweeps', 'keyframes'))
        self.cache = DepthCache(gt_cache_dir)
        super().__init__(*args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The keyframes that the split names, or all of the scenes."""
        tables = NuScenesTables(self.data_root, self.version, self.camera)
        rows: Iterable[tuple] = self._keyframes(tables)
        if self.ann_file is not None:
            rows = self._select(rows)
        for where, *row in rows:
            yield where, *self._sample(tables, *row)

    def _keyframes(self, tables: NuScenesTables) -> Iterator[tuple[str, dict, dict | None, str]]:
        """(where, camera file, LiDAR file, condition)."""
        names = None if self.split is None else SPLITS[self.split]
        scenes = [s for s in tables.scenes if names is None or s['name'] in names]
        if not scenes:
            problem = f'has none of the scenes of split {self.split!r}'
            raise ValueError(f'{tables.folder}/scene.json {problem}; correct `split` or `version`')
        for scene in sorted(scenes, key=lambda scene: scene['name']):
            condition = scene_condition(scene['description'])
            if condition in self.conditions:
                for camera, lidar in tables.keyframes(scene):
                    yield f'{scene["name"]} {camera["filename"]}', camera, lidar, condition

    def _select(self, rows: Iterable[tuple]) -> list[tuple]:
        """The keyframes that the lines of the split name, in their order."""
        known: dict[str, tuple] = {}
        for row in rows:
            stem = os.path.splitext(os.path.basename(row[1]['filename']))[0]
            known[stem] = known[row[1]['sample_token']] = row
        chosen = []
        for where, line in self.read_split():
            name = os.path.basename(line)
            name = name if name in known else os.path.splitext(name)[0]
            if name not in known:
                options = f'split {self.split!r} and conditions {self.conditions}'
                raise ValueError(
                    f'{where}: {line!r} names no keyframe of {self.camera} in {self.version} with '
                    f'{options}; correct the line or these options'
                )
            chosen.append((where, *known[name][1:]))
        return chosen

    def _sample(
        self, tables: NuScenesTables, camera: dict, lidar: dict | None, condition: str
    ) -> tuple[dict, str | None]:
        info: dict[str, Any] = dict(
            frame_paths=[],
            condition=condition,
            K=tables.intrinsics(camera).tolist(),
            camera_size=(camera['width'], camera['height']),
            camera_path=os.path.join(tables.folder, 'sample_data.json'),
            token=camera['sample_token'],
        )
        for frame_id in self.frame_ids:
            row = tables.neighbour(camera, time_offset(frame_id), self.neighbours == 'keyframes')
            if row is None:
                return info, f'frame id {frame_id!r} lies beyond the scene'
            info['frame_paths'].append(os.path.join(self.data_root, row['filename']))
        if self.with_gt:
            if lidar is None:
                return info, f'sample {info["token"]} has no keyframe of {tables.lidar}'
            info['lidar_path'] = os.path.join(self.data_root, lidar['filename'])
            info['T_camera_lidar'] = tables.camera_from_lidar(camera, lidar).tolist()
        return info, None

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the keyframe at its original size."""
        K, T = np.array(info['K']), np.array(info['T_camera_lidar'])
        size = tuple(info['camera_size'])
        name = os.path.splitext(os.path.basename(info['frame_paths'][0]))[0]
        return self.cache.get(
            f'{self.camera}/{name}',
            K.tobytes() + T.tobytes() + repr((size, _NEAREST)).encode(),
            lambda: project_points(read_points(info['lidar_path'], 5), [T[:3], K], size, _NEAREST),
        )

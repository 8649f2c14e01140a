"""The relational tables of nuScenes, as far as one camera and its LiDAR need them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .arrays import camera_matrix, read_json
from .lidar import rigid_pose

_MEND = (
    'unpack the metadata archive of nuScenes (e.g. v1.0-trainval_meta.tgz) under data_root, or '
    'correct `version`'
)


def read_records(
    path: str | os.PathLike, keep: Callable[[dict], bool], mend: str, chunk: int = 1 << 24
) -> list[dict[str, Any]]:
    """The records of a large json table (a list of objects) that are wanted, without ever holding
    all of them. FileNotFoundError, or ValueError with the line, end with `mend`.

    `sample_data.json` has 2.6 million records and needs over 6 GB as a whole. What lies between two
    closing braces is parsed piece by piece, `chunk` characters at once; a cut in the wrong place
    (inside of a string or of a nested object) is no valid json, and the file is then read as a
    whole.
    """
    try:
        return [row for rows in _pieces(path, chunk) for row in rows if keep(row)]
    except (FileNotFoundError, ValueError):
        rows = read_json(path, mend)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f'{path} is no table (list of records); {mend}')
    return [row for row in rows if keep(row)]


def _pieces(path: str | os.PathLike, chunk: int) -> Iterator[list[dict[str, Any]]]:
    """Records in order; ValueError where the simple way does not do."""
    with open(path, encoding='utf-8') as stream:
        text, separator = stream.read(chunk).lstrip(), '['
        while True:
            end = text.rfind('}') + 1
            if end:
                if text[0] != separator:
                    raise ValueError(f'expected {separator!r}')
                rows = json.loads(f'[{text[1:end]}]')
                if any(type(row) is not dict for row in rows):
                    raise ValueError('expected objects')
                yield rows
                text, separator = text[end:].lstrip(), ','
            more = stream.read(chunk)
            if not more:
                break
            text = (text + more).lstrip()
        if text.strip() != ']' or separator != ',':
            raise ValueError('expected the end of the list')


class NuScenesTables:
    """Samples of one camera out of the json tables of nuScenes; `camera` and `lidar` are channels,
    `version` is the folder of the tables under the data root, such as `v1.0-trainval`.

    Schema: https://www.nuscenes.org/nuscenes#data-format. `scene` -> `sample` (keyframes, 2 Hz) ->
    `sample_data` (files of the sensors; the camera at 12 Hz, linked by `prev` and `next`) ->
    `ego_pose` (T_global_ego at the time stamp of each file) and `calibrated_sensor` (T_ego_sensor,
    and K of cameras). Quaternions are (w, x, y, z).

    The full tables are large: indexing v1.0-trainval reads 2 GB of json once, piece by piece, and
    keeps the records of the camera and the keyframes of the LiDAR. Made-up tables of that size (2.5
    million records in `sample_data.json` and in `ego_pose.json`) took 36 s of one core and 1.1 GB.
    """

    def __init__(self, root: str, version: str, camera: str, lidar: str = 'LIDAR_TOP') -> None:
        self.folder = os.path.join(root, version)
        self.scenes = self._load('scene')
        self.samples = {row['token']: row for row in self._load('sample')}
        channels = {row['token']: row['channel'] for row in self._load('sensor')}
        named = (
            (channels.get(row['sensor_token']), row) for row in self._load('calibrated_sensor')
        )
        self._sensors = {row['token']: (c, row) for c, row in named if c in (camera, lidar)}
        kept = self._load('sample_data', lambda row: self._is_used(row, camera))
        self.data = {row['token']: row for row in kept}
        self._keyframes = {}
        for row in kept:
            if row['is_key_frame']:
                channel = self._sensors[row['calibrated_sensor_token']][0]
                self._keyframes[row['sample_token'], channel] = row
        wanted = {row['ego_pose_token'] for row in kept}
        poses = self._load('ego_pose', lambda row: row.get('token') in wanted)
        self._poses = {row['token']: row for row in poses}
        self.camera, self.lidar = camera, lidar

    def _load(self, table: str, keep: Callable[[dict], bool] = lambda row: True) -> list[dict]:
        return read_records(os.path.join(self.folder, f'{table}.json'), keep, _MEND)

    def _is_used(self, row: Mapping[str, Any], camera: str) -> bool:
        """Frames of the camera, and keyframes of the LiDAR."""
        channel = self._sensors.get(row.get('calibrated_sensor_token'), (None,))[0]
        return channel == camera or (channel is not None and row.get('is_key_frame', False))

    def _row(self, table: str, rows: Mapping[str, Any], token: str) -> Any:
        if token not in rows:
            problem = f'has no record {token!r} that another table names'
            raise ValueError(f'{self.folder}/{table}.json {problem}; {_MEND}')
        return rows[token]

    def keyframes(self, scene: Mapping[str, Any]) -> Iterator[tuple[dict, dict | None]]:
        """(camera file, LiDAR file or None) of the keyframes of a scene, in time."""
        token = scene['first_sample_token']
        while token:
            sample = self._row('sample', self.samples, token)
            row = self._keyframes.get((token, self.camera))
            if row is None:
                lacking = f'has no keyframe of {self.camera} for sample {token!r}'
                mend = 'correct `camera` or restore the table'
                raise ValueError(f'{self.folder}/sample_data.json {lacking}; {mend}')
            yield row, self._keyframes.get((token, self.lidar))
            token = sample['next']

    def neighbour(self, row: dict, offset: int, keyframes: bool) -> dict | None:
        """The camera's file that many steps later; None at the ends of the scene."""
        step, current = ('next' if offset > 0 else 'prev'), row
        for _ in range(abs(offset)):
            while True:
                if not current[step]:
                    return None
                current = self._row('sample_data', self.data, current[step])
                if current['is_key_frame'] or not keyframes:
                    break
        return current

    def intrinsics(self, row: Mapping[str, Any]) -> np.ndarray:
        """K (3, 3) of a camera file."""
        sensor = self._sensors[row['calibrated_sensor_token']][1]
        what = f'{self.folder}/calibrated_sensor.json: camera_intrinsic of {sensor["token"]}'
        return camera_matrix(sensor['camera_intrinsic'], what)

    def _global_pose(self, row: Mapping[str, Any]) -> np.ndarray:
        """T_global_sensor (4, 4) of a file at its own time stamp."""
        sensor = self._sensors[row['calibrated_sensor_token']][1]
        ego = self._row('ego_pose', self._poses, row['ego_pose_token'])
        T_global_ego, T_ego_sensor = (
            rigid_pose(r['rotation'], r['translation'], f'{self.folder}/{table}.json: {r["token"]}')
            for table, r in (('ego_pose', ego), ('calibrated_sensor', sensor))
        )
        return T_global_ego @ T_ego_sensor

    def camera_from_lidar(self, camera: Mapping[str, Any], lidar: Mapping[str, Any]) -> np.ndarray:
        """T_camera_lidar (4, 4): sensor -> ego -> global -> ego -> camera, as the vehicle moves
        between the two time stamps."""
        return np.linalg.solve(self._global_pose(camera), self._global_pose(lidar))

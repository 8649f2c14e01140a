"""The relational tables of nuScenes, as far as one camera and its LiDAR need them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from mmscd.utils.schema import check, find_misfit, read_json, shorten

from .arrays import camera_matrix
from .lidar import rigid_pose

_MEND = (
    'unpack the metadata archive of nuScenes (e.g. v1.0-trainval_meta.tgz) under data_root, or '
    'correct `version`'
)


_Keep = Callable[[dict], bool]
# columns that are read
_SENSOR = 'calibrated_sensor_token'
_FILE = ('token', 'sample_token', _SENSOR, 'ego_pose_token', 'filename', 'prev', 'next')
_POSE: dict[str, type] = dict(token=str, rotation=list, translation=list)
_COLUMNS: dict[str, dict[str, type]] = dict(
    scene=dict(name=str, description=str, first_sample_token=str),
    sample=dict(token=str, next=str),
    sensor=dict(token=str, channel=str),
    calibrated_sensor=dict(_POSE, sensor_token=str, camera_intrinsic=list),
    sample_data=dict(dict.fromkeys(_FILE, str), is_key_frame=bool, width=int, height=int),
    ego_pose=_POSE,
)


def read_records(
    path: str | os.PathLike,
    keep: _Keep,
    mend: str,
    chunk: int = 1 << 24,
    columns: Mapping[str, type] | None = None,
) -> list[dict[str, Any]]:
    """The records of a large json table (a list of objects) that are wanted, without ever holding
    all of them. FileNotFoundError, or ValueError with the line, or where a record that is wanted
    lacks one of the `columns`, end with `mend`.

    `sample_data.json` has 2.6 million records and needs over 6 GB as a whole. What lies between two
    closing braces is parsed piece by piece, `chunk` characters at once; a cut in the wrong place
    (inside of a string or of a nested object) is no valid json, and the file is then read as a
    whole.
    """
    try:
        kept = [row for rows in _pieces(path, chunk) for row in rows if keep(row)]
    except (FileNotFoundError, ValueError, RecursionError):
        rows = read_json(path, mend)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f'{path} is no table (list of records); {mend}') from None
        kept = [row for row in rows if keep(row)]
    for row in kept if columns else ():
        if find_misfit(row, columns):
            check(row, columns, f'{path}: record {shorten(row.get("token", row))}', mend)
    return kept


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
        self.camera, self.lidar = camera, lidar
        self.scenes = self._load('scene')
        self.samples = self._index('sample')
        channels = self._index('sensor')
        self._sensors = {}
        for token, row in self._index('calibrated_sensor').items():
            sensor = self._row('sensor', channels, row['sensor_token'], 'calibrated_sensor')
            self._sensors[token] = sensor['channel'], row
        self.data = self._index('sample_data', self._is_used)
        self._keyframes: dict[tuple[str, str], dict] = {}
        for row in self.data.values():
            channel = self._row('calibrated_sensor', self._sensors, row[_SENSOR])[0]
            if row['is_key_frame']:
                self._row('sample', self.samples, sample := row['sample_token'])
                if self._keyframes.setdefault((sample, channel), row) is not row:
                    self._refuse('sample_data', f'has two keyframes of {sample!r}')
        wanted = {row['ego_pose_token'] for row in self.data.values()}
        self._poses = self._index('ego_pose', lambda row: str(row.get('token')) in wanted)

    def _refuse(self, table: str, problem: str) -> NoReturn:
        raise ValueError(f'{self.folder}/{table}.json {problem}; {_MEND}')

    def _load(self, table: str, keep: _Keep = lambda row: True) -> list[dict]:
        path = os.path.join(self.folder, f'{table}.json')
        return read_records(path, keep, _MEND, columns=_COLUMNS[table])

    def _index(self, table: str, keep: _Keep = lambda row: True) -> dict[str, dict]:
        """The wanted records by token, each of which there is once."""
        rows = self._load(table, keep)
        found = {row['token']: row for row in rows}
        if len(found) < len(rows):
            first, *_ = (row['token'] for row in rows if found[row['token']] is not row)
            self._refuse(table, f'has the record {first!r} twice')
        return found

    def _is_used(self, row: Mapping[str, Any]) -> bool:
        """Frames of the camera, keyframes of the LiDAR, and what is wrong."""
        channel = self._sensors.get(str(row.get(_SENSOR)), (self.camera,))[0]
        return channel == self.camera or (
            channel == self.lidar and row.get('is_key_frame') is not False
        )

    def _row(self, table: str, rows: Mapping[str, Any], token: str, by: str = 'sample_data') -> Any:
        if token not in rows:
            self._refuse(table, f'has no record {shorten(token)} that {by}.json names')
        return rows[token]

    def keyframes(self, scene: Mapping[str, Any]) -> Iterator[tuple[dict, dict | None]]:
        """(camera file, LiDAR file or None) of the keyframes of a scene, in time."""
        token, seen = scene['first_sample_token'], set[str]()
        while token or not seen:
            sample = self._row('sample', self.samples, token, 'sample' if seen else 'scene')
            if token in seen:
                self._refuse('sample', f'leads from {token!r} back to it')
            seen.add(token)
            row = self._keyframes.get((token, self.camera))
            if row is None:
                lacking = f'has no keyframe of {self.camera} for sample {token!r}'
                mend = 'correct `camera`, or restore it and sensor.json'
                raise ValueError(f'{self.folder}/sample_data.json {lacking}; {mend}')
            yield row, self._keyframes.get((token, self.lidar))
            token = sample['next']

    def neighbour(self, row: dict, offset: int, keyframes: bool) -> dict | None:
        """The camera's file that many steps later; None at the ends of the scene."""
        step, current = ('next' if offset > 0 else 'prev'), row
        for _ in range(abs(offset)):
            for _ in self.data:  # more steps go round in circles
                if not current[step]:
                    return None
                current = self._row('sample_data', self.data, current[step])
                if current['is_key_frame'] or not keyframes:
                    break
            else:
                self._refuse('sample_data', f'leads from {current["token"]!r} back to it')
        return current

    def intrinsics(self, row: Mapping[str, Any]) -> np.ndarray:
        """K (3, 3) of a camera file."""
        sensor = self._sensors[row[_SENSOR]][1]
        what = f'{self.folder}/calibrated_sensor.json: camera_intrinsic of {sensor["token"]}'
        return camera_matrix(sensor['camera_intrinsic'], what)

    def _global_pose(self, row: Mapping[str, Any]) -> np.ndarray:
        """T_global_sensor (4, 4) of a file at its own time stamp."""
        sensor = self._sensors[row[_SENSOR]][1]
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

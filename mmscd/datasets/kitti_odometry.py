"""KITTI odometry: colour video of 22 sequences, with poses of the first 11."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmscd.registry import DATASETS
from mmscd.utils.text import read_text

from .base import BaseDepthDataset, Sample
from .formats.arrays import parse_numbers
from .formats.file_index import FileIndex
from .formats.images import IMAGE_EXTENSIONS
from .formats.kitti_calibration import projection_matrix, read_calibration_file
from .frames import find_frames
from .options import choose, choose_names, refuse_gt


def read_poses(path: str | os.PathLike) -> np.ndarray:
    """The poses T_world_camera (N, 4, 4) float64, metres, of a file with the upper 3 x 4 of one per
    line, row by row; blank lines at the end are none. FileNotFoundError, or ValueError with file
    and line.

    The world is the left grey camera (camera 0) of the first frame, and the camera is camera 0 too:
    the colour cameras stand some centimetres beside it, which this field's evaluations ignore.
    """
    try:
        lines = read_text(path).rstrip().splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(
            f'pose file {path} does not exist; unpack data_odometry_poses.zip beside `sequences` '
            '(only 00 to 10 have poses), or set with_pose=False'
        ) from None
    poses = np.tile(np.eye(4), (len(lines), 1, 1))
    for i, line in enumerate(lines):
        poses[i, :3] = parse_numbers(line, (3, 4), f'{path}:{i + 1}')
    return poses


@DATASETS.register_module()
class KITTIOdometryDataset(BaseDepthDataset):
    """Frames of KITTI odometry sequences, with poses when asked for; no ground-truth depth.

    Layout (https://www.cvlibs.net/datasets/kitti/eval_odometry.php, readme of its devkit):
    `sequences/04/{image_2,image_3}/000000.png` (or .jpg), `sequences/04/calib.txt` with
    P0 .. P3, and `poses/04.txt` (see `read_poses`).

    A sample also has `sequence` and `frame`, and with `with_pose` `gt_pose` (T_world_camera of the
    target, 4 x 4 nested list): what `PoseMetric` reads; `meta_keys` of `PackDepthInputs` takes
    them along.

    Args:
        data_root: holds `sequences` and `poses`.
        sequences: such as `['09', '10']`; None: all that are there.
        frame_ids: ints are offsets in time, `'s'` is the other colour camera.
        camera: `2` (left colour) or `3` (right colour).
        with_pose: read poses.
        **kwargs: of `BaseDepthDataset`.
    """

    has_splits = False
    camera_keys = ('sequence',)

    def __init__(
        self,
        data_root: str,
        sequences: Sequence[str] | None = None,
        camera: int = 2,
        with_pose: bool = False,
        **kwargs: Any,
    ) -> None:
        refuse_gt(kwargs, 'is refused: KITTI odometry has no ground-truth depth')
        sequences = choose_names('sequences', sequences, '09')
        self.sequences = [f'{int(s):02d}' for s in sequences] if sequences is not None else None
        self.cameras = (2, 3) if choose('camera', camera, (2, 3)) == 2 else (3, 2)
        self.with_pose = with_pose
        self._projections: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        super().__init__(data_root, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The frames of the sequences; those at their ends lack a neighbour."""
        for sequence in self._names(index):
            root = os.path.join(self.data_root, 'sequences', sequence)
            folders = tuple(os.path.join(root, f'image_{camera}') for camera in self.cameras)
            self.list_folder(index, folders[0], 'unpack data_odometry_color.zip')
            frames = index.frames(folders[0], IMAGE_EXTENSIONS) or {}
            pose_path = os.path.join(self.data_root, 'poses', f'{sequence}.txt')
            poses = read_poses(pose_path) if self.with_pose else None
            if poses is not None and max(frames, default=-1) >= len(poses):
                found = f'has {len(poses)} lines, but there is a frame {max(frames)}'
                raise ValueError(f'{pose_path} {found}: restore the official file')
            for frame in sorted(frames):
                args = self.frame_ids, frame, folders, IMAGE_EXTENSIONS
                paths, problem = find_frames(index, *args)
                info: dict[str, Any] = dict(frame_paths=paths, sequence=sequence, frame=frame)
                if poses is not None:
                    info['gt_pose'] = poses[frame].tolist()
                yield frames[frame], info, problem

    def _names(self, index: FileIndex) -> list[str]:
        root = os.path.join(self.data_root, 'sequences')
        found = index.names(root) or ()
        names = self.sequences or sorted(name for name in found if name.isdecimal())
        missing = [name for name in names if name not in found]
        if missing or not names:
            absent = ', '.join(missing) or 'at all'
            mend = 'unpack data_odometry_color.zip there, or correct data_root and sequences'
            raise FileNotFoundError(f'{self.dataset_name}: {root} has no sequence {absent}; {mend}')
        return names

    def load_camera(self, info: dict) -> dict:
        """Intrinsics and stereo pose of the sequence's `calib.txt`."""
        sequence = info['sequence']
        path = os.path.join(self.data_root, 'sequences', sequence, 'calib.txt')
        if sequence not in self._projections:
            values = read_calibration_file(path)
            target, source = (projection_matrix(values, f'P{c}', path) for c in self.cameras)
            self._projections[sequence] = target, source
        return self.rectified_camera(*self._projections[sequence], path)

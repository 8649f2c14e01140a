"""Oxford RobotCar: day and night drives of the same streets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.arrays import camera_matrix, read_npy
from .formats.file_index import FileIndex
from .frames import windows
from .options import choose

# condition by drive, of the two that depth estimation uses
DRIVES = {'2014-12-09-13-21-02': 'day', '2014-12-16-18-44-24': 'night'}


@DATASETS.register_module()
class RobotCarDataset(BaseDepthDataset):
    """One drive of Oxford RobotCar, left camera of the wide stereo pair, 1280x960.

    The raw data (https://robotcar-dataset.robots.ox.ac.uk) are Bayer images with lens distortion
    and separate 2D laser scans. The published depth evaluations work on a prepared tree (README of
    RNW, ICCV 2021, and of STEPS, ICRA 2023), which this class reads:

    - `<drive>/rgb/<time stamp>.png`: demosaiced and undistorted with the official SDK;
    - `<drive>/depth/<time stamp>.npy`: (960, 1280) metres, 0 = none, of the test images: scans of
      the front LMS within some seconds, built with the SDK's `build_pointcloud.py` and projected
      (script in https://github.com/w2kun/RNW/issues/2; rounded pixel, nearest point wins);
    - `<drive>/intrinsic.npy`: (3, 3), of the undistorted image;
    - `<drive>/test_split.txt` and `<drive>/train_split.txt`: one time stamp per line; lines that
      start with `-----` separate runs of consecutive frames.

    Protocols: `robotcar_night_40m` and `robotcar_night_60m`: 411 images of 2014-12-16-18-44-24,
    input and truth cut to the centred 1152x640 (`CropFrames(size=(1152, 640))`), 1e-5 m to the cap;
    publications differ in the cap, so it is in the name. They resize predictions with nearest
    neighbours, we bilinearly. `robotcar` is that of md4all (ICCV 2023): rows 0..768 of both drives,
    0.1 to 50 m, its own test lists.

    Args:
        data_root: holds the folders of the drives.
        ann_file: a split file; None: `<part>_split.txt` of the drive.
        frame_ids: ints are offsets in the run of frames. There is no `'s'`.
        drive: name of the folder.
        part: `train` or `test`.
        condition: of all samples; None: known for the two drives of the literature.
        **kwargs: of `BaseDepthDataset`.
    """

    has_stereo = False

    def __init__(
        self,
        data_root: str,
        ann_file: str | None = None,
        *args: Any,
        drive: str = '2014-12-16-18-44-24',
        part: str = 'test',
        condition: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.drive = drive
        self.condition = condition or DRIVES.get(drive)
        if self.condition is None:
            mend = "set condition='day' or 'night'"
            raise ValueError(f'condition of drive {drive!r} is not known; {mend}')
        choose('part', part, ('train', 'test'))
        ann_file = ann_file or os.path.join(drive, f'{part}_split.txt')
        super().__init__(data_root, ann_file, *args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The frames of every run that have all neighbours in it."""
        for run in self._runs():
            for positions in windows(len(run), self.frame_ids):
                where, stamp = run[positions[0]]
                info = dict(
                    frame_paths=[self._path('rgb', run[i][1], 'png') for i in positions],
                    condition=self.condition,
                    stamp=stamp,
                    gt_path=self._path('depth', stamp, 'npy'),
                )
                yield where, info, None

    def _runs(self) -> list[list[tuple[str, str]]]:
        """Runs of consecutive frames, each (where, time stamp)."""
        runs: list[list[tuple[str, str]]] = [[]]
        lines = self.match_split(r'(\d+)|-----.*', 'a time stamp such as 1418757162925551 or -----')
        for where, match in lines:
            if match[1]:
                runs[-1].append((where, match[1]))
            else:
                runs.append([])
        return runs

    def _path(self, folder: str, stamp: str, extension: str) -> str:
        return os.path.join(self.data_root, self.drive, folder, f'{stamp}.{extension}')

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the drive."""
        path = os.path.join(self.data_root, self.drive, 'intrinsic.npy')
        source = 'models/stereo_wide_left.txt of the official SDK'
        K = read_npy(path, f'save K (3, 3) of the undistorted images there, from {source}')
        return dict(K_ori=camera_matrix(K[:3, :3] if K.ndim == 2 else K, path))

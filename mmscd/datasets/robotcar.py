"""Oxford RobotCar: day and night drives of the same streets."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset
from .formats.readers import FileIndex, camera_matrix, choose, finite_array, read_depth_npy

# condition by drive, of the two that depth estimation uses
DRIVES = {'2014-12-09-13-21-02': 'day', '2014-12-16-18-44-24': 'night'}
_SEPARATOR = '-----'


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

    def __init__(
        self,
        data_root: str,
        ann_file: str | None = None,
        frame_ids: Sequence[int | str] = (0, -1, 1),
        drive: str = '2014-12-16-18-44-24',
        part: str = 'test',
        condition: str | None = None,
        **kwargs,
    ) -> None:
        if 's' in frame_ids:
            raise ValueError(f"the prepared tree has no right images 's', got {frame_ids!r}")
        self.drive = drive
        self.condition = condition or DRIVES.get(drive)
        if self.condition is None:
            raise ValueError(
                f"condition of drive {drive!r} is not known; set condition='day' or 'night'"
            )
        choose('part', part, ('train', 'test'))
        ann_file = ann_file or os.path.join(drive, f'{part}_split.txt')
        super().__init__(data_root, ann_file, frame_ids, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the split and check all that the samples need."""
        index = FileIndex()
        samples = [item for run in self._runs() for item in self._samples(index, run)]
        data_list = self.keep_complete(samples, named=True)
        self.check_cameras(data_list, lambda info: 'all')
        return data_list

    def _runs(self) -> list[list[tuple[str, str]]]:
        """Runs of consecutive frames, each (where, time stamp)."""
        runs: list[list[tuple[str, str]]] = [[]]
        for where, line in self.read_split():
            if line.startswith(_SEPARATOR):
                runs.append([])
            elif line.isdigit():
                runs[-1].append((where, line))
            else:
                raise ValueError(
                    f'{where}: expected a time stamp such as 1418757162925551 or {_SEPARATOR}, '
                    f'got {line!r}; correct the line'
                )
        return runs

    def _samples(
        self, index: FileIndex, run: list[tuple[str, str]]
    ) -> list[tuple[str, dict, str | None]]:
        """Samples of the frames of a run that have all neighbours in it."""
        samples = []
        before, after = min(0, *self.frame_ids), max(0, *self.frame_ids)
        for i in range(-before, len(run) - after):
            where, stamp = run[i]
            paths = [self._path('rgb', run[i + offset][1], 'png') for offset in self.frame_ids]
            info = dict(frame_paths=paths, condition=self.condition, stamp=stamp)
            needed = list(paths)
            if self.with_gt:
                info['gt_path'] = self._path('depth', stamp, 'npy')
                needed.append(info['gt_path'])
            samples.append((where, info, index.first_problem(needed)))
        return samples

    def _path(self, folder: str, stamp: str, extension: str) -> str:
        return os.path.join(self.data_root, self.drive, folder, f'{stamp}.{extension}')

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the drive."""
        path = os.path.join(self.data_root, self.drive, 'intrinsic.npy')
        try:
            stored = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise FileNotFoundError(
                f'{path} does not exist; save K (3, 3) of the undistorted images there, from '
                'models/stereo_wide_left.txt of the official SDK'
            ) from None
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f'{path} is no numpy file ({error}); save K (3, 3) again') from None
        K = finite_array(stored[:3, :3] if stored.ndim == 2 else stored, (3, 3), path)
        return dict(K_ori=camera_matrix(K[0, 0], K[1, 1], K[0, 2], K[1, 2], path))

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the target frame at its original size."""
        return read_depth_npy(info['gt_path'])

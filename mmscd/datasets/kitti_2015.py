"""KITTI 2015 (scene flow): 200 stereo pairs with disparities on which moving cars are fitted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.arrays import disparity_to_depth
from .formats.file_index import FileIndex
from .formats.images import image_size, read_bytes, read_depth_png
from .formats.kitti_calibration import projection_matrix, read_calibration_file
from .frames import time_offset
from .options import choose, refuse_gt

# rectified camera 02 by image width, one recording date of KITTI raw each: (f, cx, cy)
_NOMINAL = {
    1224: (707.0493, 604.0814, 180.5066),  # 2011_09_28
    1226: (707.0912, 601.8873, 183.1104),  # 2011_09_30
    1238: (718.3351, 600.3891, 181.5122),  # 2011_09_29
    1241: (718.8560, 607.1928, 185.2157),  # 2011_10_03
    1242: (721.5377, 609.5593, 172.8540),  # 2011_09_26
}
_NOMINAL_BASELINE = 0.5327


@DATASETS.register_module()
class KITTI2015Dataset(BaseDepthDataset):
    """KITTI 2015 stereo, depth = focal length x baseline / disparity.

    Layout (https://www.cvlibs.net/datasets/kitti/eval_scene_flow.php?benchmark=stereo, readme of
    its devkit): `training/{image_2,image_3}/000046_10.png` (and `_11`, the next moment),
    `training/{disp_occ_0,disp_noc_0}/000046_10.png` with uint16 disparity x 256, 0 = none, and from
    data_scene_flow_calib.zip `training/calib_cam_to_cam/000046.txt` in the format of KITTI raw.
    The multiview extension adds `_00` to `_20`, so that offsets in time reach further.

    Without the calibration files, K is the nominal one by the width of the image and the baseline
    is 0.5327 m. Published tables (monodepth, CVPR 2017, `utils/evaluation_utils.py`) use the
    nominal focal length with `baseline=0.54` for prediction and truth, over all pixels with a
    disparity; median scaling removes the difference, metric (stereo) models need the true baseline.

    Args:
        data_root: holds `training`.
        ann_file: lines such as `000046`; None: all `_10` frames that are there.
        frame_ids: 0 is `_10`, 1 is `_11`, `'s'` the right camera at `_10`.
        disparity: `occ` (all pixels) or `noc` (pixels that both cameras see).
        baseline: metres, for the ground truth; None: the calibrated one.
        part: `training`, or `testing` (no ground truth).
        **kwargs: of `BaseDepthDataset`.
    """

    default_frame_ids = (0,)
    camera_keys = ('scene',)

    def __init__(
        self,
        *args: Any,
        disparity: str = 'occ',
        baseline: float | None = None,
        part: str = 'training',
        **kwargs: Any,
    ) -> None:
        self.disparity = choose('disparity', disparity, ('occ', 'noc'))
        self.part = choose('part', part, ('training', 'testing'))
        if part == 'testing':
            refuse_gt(
                kwargs, 'is refused: the testing part of KITTI 2015 has no public disparities'
            )
        if baseline is not None and not 0 < baseline < 10:
            raise ValueError(f'baseline must be positive metres, got {baseline!r}')
        self.baseline = baseline
        super().__init__(*args, **kwargs)

    def _path(self, folder: str, scene: str, frame: int) -> str:
        return os.path.join(self.data_root, self.part, folder, f'{scene}_{frame:02d}.png')

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The scenes that the split names, or all that are there."""
        calibration = os.path.join(self.data_root, self.part, 'calib_cam_to_cam')
        calibrated = index.names(calibration) is not None
        for where, scene in self._scenes(index):
            paths = [
                self._path('image_3' if f == 's' else 'image_2', scene, 10 + time_offset(f))
                for f in self.frame_ids
            ]
            info: dict[str, Any] = dict(frame_paths=paths, scene=scene, calib_path=None, size=None)
            if calibrated:
                info['calib_path'] = os.path.join(calibration, f'{scene}.txt')
            if index.problem(paths[0]) is None:
                info['size'] = image_size(read_bytes(paths[0]), paths[0])
            info['gt_path'] = self._path(f'disp_{self.disparity}_0', scene, 10)
            yield where, info, None

    def _scenes(self, index: FileIndex) -> list[tuple[str, str]]:
        if self.ann_file is None:
            names = index.names(os.path.join(self.data_root, self.part, 'image_2')) or ()
            names = sorted(name for name in names if re.fullmatch(r'\d{6}_10.png', name))
            return [(name, name[:6]) for name in names]
        lines = self.match_split(r'\d{6}', 'six digits such as 000046')
        return [(where, match[0]) for where, match in lines]

    def _projections(self, info: dict) -> tuple[np.ndarray, np.ndarray]:
        """P of the left and the right camera, (3, 4) each."""
        path = info['calib_path']
        if path is not None:
            values = read_calibration_file(path)
            left, right = (projection_matrix(values, f'P_rect_0{i}', path) for i in (2, 3))
            return left, right
        width = info['size'][0]
        if width not in _NOMINAL:
            raise ValueError(
                f'{info["frame_paths"][0]} is {width} pixels wide, KITTI 2015 images have '
                f'{sorted(_NOMINAL)}: use the original images, or unpack data_scene_flow_calib.zip'
            )
        f, cx, cy = _NOMINAL[width]
        left = np.array([[f, 0, cx, 0], [0, f, cy, 0], [0, 0, 1, 0.0]])
        right = left.copy()
        right[0, 3] = -f * _NOMINAL_BASELINE
        return left, right

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the left camera and the pose of the right one."""
        left, right = self._projections(info)
        camera = self.rectified_camera(left, right, info['calib_path'] or 'KITTI 2015')
        return dict(camera, camera_size=tuple(info['size']))

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the left frame at its original size."""
        left, right = self._projections(info)
        focal = left[0, 0]
        baseline = self.baseline or (left[0, 3] - right[0, 3]) / focal
        return disparity_to_depth(read_depth_png(info['gt_path']), focal * baseline)

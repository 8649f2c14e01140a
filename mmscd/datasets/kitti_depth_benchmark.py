"""KITTI depth-prediction benchmark: the selected validation images and the anonymous test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset
from .formats.images import read_depth_png
from .formats.readers import FileIndex, choose, finite_array, refuse_gt

PARTS = ('val_selection_cropped', 'test_depth_prediction_anonymous')


@DATASETS.register_module()
class KITTIDepthBenchmarkDataset(BaseDepthDataset):
    """Single images of 1216x352: 1000 for validation with ground truth, 500 to submit.

    Layout (https://www.cvlibs.net/datasets/kitti/eval_depth.php?benchmark=depth_prediction,
    data_depth_selection.zip and the readme of its devkit), under `depth_selection`:

    - `val_selection_cropped/image/2011_09_26_drive_0002_sync_image_0000000005_image_02.png`,
      `intrinsics/` the same name as .txt, `groundtruth_depth/` with `_groundtruth_depth_` in place
      of the first `_image_`;
    - `test_depth_prediction_anonymous/{image/0000000000.png, intrinsics/0000000000.txt}`, 500 each.

    Intrinsics are nine numbers, row by row. Ground truth is uint16, metres x 256, 0 = none. The
    benchmark ranks by SILog and takes PNGs in the encoding of the ground truth: the metric
    `KITTISubmission` writes them.

    Args:
        data_root: the folder `depth_selection`, or the one that holds it.
        part: one of the two above.
        **kwargs: of `BaseDepthDataset`. `frame_ids` is (0,).
    """

    def __init__(
        self,
        data_root: str,
        part: str = 'val_selection_cropped',
        frame_ids: Sequence[int | str] = (0,),
        **kwargs,
    ) -> None:
        self.part = choose('part', part, PARTS)
        if tuple(frame_ids) != (0,):
            raise ValueError(f'the benchmark has single images: frame_ids is (0,), got {frame_ids}')
        if kwargs.get('ann_file') is not None:
            raise ValueError('KITTIDepthBenchmarkDataset takes all images: remove ann_file')
        if part == 'test_depth_prediction_anonymous':
            refuse_gt(kwargs, 'the test images of the benchmark have no public ground truth')
        super().__init__(data_root, frame_ids=frame_ids, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images and check that each has what it needs."""
        index = FileIndex()
        root = Path(self.data_root)
        folder = root / 'depth_selection' / self.part
        folder = folder if folder.is_dir() else root / self.part
        names = index.names(str(folder / 'image'))
        if names is None:
            raise FileNotFoundError(
                f'{self.dataset_name}: folder {folder / "image"} does not exist; unpack '
                'data_depth_selection.zip and set data_root to its folder depth_selection'
            )
        images = sorted(name for name in names if name.endswith('.png'))
        samples = [(name, *self._sample(index, folder, name)) for name in images]
        data_list = self.keep_complete(samples, named=True)
        self.check_cameras(data_list, lambda info: 'all')
        return data_list

    def _sample(self, index: FileIndex, folder: Path, name: str) -> tuple[dict, str | None]:
        stem = os.path.splitext(name)[0]
        info = dict(
            frame_paths=[str(folder / 'image' / name)],
            calib_path=str(folder / 'intrinsics' / f'{stem}.txt'),
        )
        needed = [info['calib_path']]
        if self.with_gt:
            truth = name.replace('_image_', '_groundtruth_depth_', 1)
            info['gt_path'] = str(folder / 'groundtruth_depth' / truth)
            needed.append(info['gt_path'])
        return info, index.first_problem(needed)

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the image's own file."""
        path = info['calib_path']
        words = Path(path).read_text(encoding='utf-8').split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = words
        K = finite_array(values, (9,), path).reshape(3, 3)
        if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
            raise ValueError(
                f'{path} holds no camera matrix: {K.tolist()}; restore the official file'
            )
        return dict(K_ori=K)

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of a validation image."""
        return read_depth_png(info['gt_path'])

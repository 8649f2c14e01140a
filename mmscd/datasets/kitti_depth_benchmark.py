"""KITTI depth-prediction benchmark: the selected validation images and the anonymous test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmscd.registry import DATASETS
from mmscd.utils.text import read_text

from .base import BaseDepthDataset, Sample
from .formats.arrays import camera_matrix, parse_numbers
from .formats.file_index import FileIndex
from .options import choose, refuse_gt

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

    default_frame_ids = (0,)
    has_video = has_stereo = has_splits = False
    listing_is_strict = True

    def __init__(self, data_root: str, part: str = 'val_selection_cropped', **kwargs: Any) -> None:
        self.part = choose('part', part, PARTS)
        if part == 'test_depth_prediction_anonymous':
            refuse_gt(kwargs, 'is refused: the test images have no public ground truth')
        super().__init__(data_root, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The images of the part."""
        root = Path(self.data_root)
        folder = root / 'depth_selection' / self.part
        folder = folder if folder.is_dir() else root / self.part
        mend = 'unpack data_depth_selection.zip and set data_root to its folder depth_selection'
        for name in self.list_folder(index, folder / 'image', mend):
            if not name.endswith('.png'):
                continue
            truth = name.replace('_image_', '_groundtruth_depth_', 1)
            info = dict(
                frame_paths=[str(folder / 'image' / name)],
                calib_path=str(folder / 'intrinsics' / f'{os.path.splitext(name)[0]}.txt'),
                gt_path=str(folder / 'groundtruth_depth' / truth),
            )
            yield name, info, None

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the image's own file."""
        path = info['calib_path']
        return dict(K_ori=camera_matrix(parse_numbers(read_text(path), (3, 3), path), path))

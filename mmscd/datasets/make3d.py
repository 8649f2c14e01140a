"""Make3D: 134 test images with coarse laser depth, for generalisation without fine-tuning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.arrays import read_mat
from .formats.camera_file import centred_camera
from .formats.file_index import FileIndex

SIZE = (1704, 2272)
GT_SHAPE = (55, 305)
_IMAGE = re.compile(r'img-(.+)\.jpg')


@DATASETS.register_module()
class Make3DDataset(BaseDepthDataset):
    """Make3D test set.

    Layout (http://make3d.cs.cornell.edu/data.html, Saxena et al., PAMI 2009):
    `Test134/img-<name>.jpg` (2272 high, 1704 wide) and `Gridlaserdata/depth_sph_corr-<name>.mat`
    with `Position3DGrid` (55, 305, 4), channel 3 the depth in metres; 55 rows span the height.

    Protocol (preset `make3d_c1`), the code that the authors of Monodepth2 gave in
    https://github.com/nianticlabs/monodepth2/issues/89: input rows 710..1562 (a centred 2:1
    window), truth rows 17..38, truth in (0, 70) m, per-image median scaling, prediction clipped
    to 70 m from above. Where it is ambiguous: they resize predictions with nearest neighbours (we:
    inverse depth, bilinearly), and their `rmse_log` is in log10 (ours natural: divide by ln 10).

    No calibration is published. K is nominal (60 degrees over the width), which evaluation of
    single images does not read.

    Args:
        data_root: holds the two folders.
        ann_file: lines `img-<name>.jpg` or `<name>`; None: all images that are there. One of the
            134 mat files of the archive is said to be corrupt; it is then named in an error.
        crop: cut the truth as C1 does; the input is cut by `CropFrames(window=(710, 1562, None,
            None), crop_gt=False)`.
        **kwargs: of `BaseDepthDataset`. `frame_ids` is (0,).
    """

    default_frame_ids = (0,)
    has_video = has_stereo = False
    listing_is_strict = True
    gt_shows_image = False  # the laser's grid is coarse, and cropped by other rows

    def __init__(self, *args: Any, crop: bool = True, **kwargs: Any) -> None:
        self.crop = crop
        super().__init__(*args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The images that the split names, or all that are there."""
        for where, name in self._names(index):
            image = os.path.join(self.data_root, 'Test134', f'img-{name}.jpg')
            laser = os.path.join(self.data_root, 'Gridlaserdata', f'depth_sph_corr-{name}.mat')
            yield where, dict(frame_paths=[image], gt_path=laser), None

    def _names(self, index: FileIndex) -> list[tuple[str, str]]:
        if self.ann_file is not None:
            return [
                (where, match[1] if (match := _IMAGE.fullmatch(line)) else line)
                for where, line in self.read_split()
            ]
        folder = os.path.join(self.data_root, 'Test134')
        names = self.list_folder(index, folder, 'unpack Test134.tar.gz there')
        return [(match[0], match[1]) for match in map(_IMAGE.fullmatch, names) if match]

    def load_camera(self, info: dict) -> dict:
        """Nominal intrinsics."""
        return dict(K_ori=centred_camera(60, SIZE), camera_size=SIZE)

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth on the laser's grid, (21, 305) with `crop`, else (55, 305); float32 metres."""
        grid = read_mat(info['gt_path'], 'Position3DGrid')
        with np.errstate(over='ignore'):  # what float32 cannot hold is infinite
            whole = grid.shape == (*GT_SHAPE, 4) and np.isfinite(grid.astype(np.float32)).all()
        if not whole:
            raise ValueError(
                f'{info["gt_path"]}: Position3DGrid must be 55 x 305 x 4 finite numbers, got shape '
                f'{grid.shape}; download it again or leave the image out of the split'
            )
        depth = grid[..., 3].astype(np.float32)
        rows = GT_SHAPE[0]
        return depth[(rows - 21) // 2 : (rows + 21) // 2] if self.crop else depth

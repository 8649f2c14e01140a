"""A data set of one's own: a folder per drive, with intrinsics and depth in NumPy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmscd.datasets import BaseDepthDataset
from mmscd.datasets.base import Sample
from mmscd.datasets.formats.file_index import FileIndex
from mmscd.datasets.frames import windows
from mmscd.registry import DATASETS


@DATASETS.register_module()
class DriveFolderDataset(BaseDepthDataset):
    """`ROOT/<drive>/frames/*.jpg`, `ROOT/<drive>/K.npy`, and for tests `ROOT/<drive>/depth/*.npy`.

    `K.npy` is (3, 3), pixels of the frames; a depth file is (H, W), metres, 0 = none, and has the
    name of its frame.

    Args:
        data_root: ROOT.
        **kwargs: of `BaseDepthDataset`: `frame_ids`, `pipeline`, `test_mode`, ...
    """

    listing_is_strict = True  # a sample that is not whole is an error at start-up
    camera_keys = ('drive',)  # one look at the camera of every drive there

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """Every frame whose neighbours are there."""
        for drive in sorted(p for p in Path(self.data_root).iterdir() if p.is_dir()):
            frames = sorted((drive / 'frames').glob('*.jpg'))
            for positions in windows(len(frames), self.frame_ids):
                target = frames[positions[0]]
                info = dict(
                    frame_paths=[str(frames[i]) for i in positions],
                    gt_path=str(drive / 'depth' / f'{target.stem}.npy'),
                    drive=str(drive),
                )
                yield str(target), info, None

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the frames as they are stored."""
        return dict(K_ori=np.load(Path(info['drive']) / 'K.npy').astype(np.float64))

"""A data set of one's own: a folder per drive, with intrinsics and depth in NumPy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmscd.datasets import BaseDepthDataset
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

    def load_data_list(self) -> list[dict]:
        """Every frame whose neighbours are there."""
        samples = []
        for drive in sorted(p for p in Path(self.data_root).iterdir() if p.is_dir()):
            frames = sorted((drive / 'frames').glob('*.jpg'))
            for index, frame in enumerate(frames):
                wanted = [index + offset for offset in self.frame_ids]
                if min(wanted) < 0 or max(wanted) >= len(frames):
                    continue  # an end of the drive
                info = dict(frame_paths=[str(frames[i]) for i in wanted], drive=str(drive))
                info['gt_path'] = str(drive / 'depth' / f'{frame.stem}.npy')
                absent = self.with_gt and not Path(info['gt_path']).is_file()
                problem = f'{info["gt_path"]} does not exist' if absent else None
                samples.append((str(frame), info, problem))
        # what is incomplete is an error here, at start-up, that names the first few
        return self.keep_complete(samples, named=True)

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the frames as they are stored."""
        return dict(K_ori=np.load(Path(info['drive']) / 'K.npy').astype(np.float64))

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the target, (H, W) float32 metres, 0 where there is none."""
        return np.load(info['gt_path']).astype(np.float32)

"""Ground truth of a data set in files that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.formats.kitti_calibration import CAMERAS
from mmscd.utils.files import atomic_write, check_writable
from mmscd.utils.progress import track

from .ground_truth_file import write_ground_truth


def export_ground_truth(dataset: KITTIRawDataset, out: Path) -> int:
    """Write the ground truth of all samples and return their number.

    `out` is one .npz file (see `GroundTruthFile`), or a folder for 16-bit PNGs in the layout of
    KITTI's improved ground truth, rounded to 1/256 m; PNGs that are there are kept.
    """
    if out.suffix == '.npz':
        check_writable(out.parent)
        return write_ground_truth(out, _maps(dataset))
    check_writable(out)
    dataset.with_gt = False  # read below, where it is not there yet
    for i in track(range(len(dataset)), len(dataset)):
        info = dataset.get_data_info(i)
        folder = out / info['date'] / info['drive'] / 'proj_depth/groundtruth'
        target = folder / f'image_{CAMERAS[info["side"]]}' / f'{info["frame"]:010d}.png'
        if not target.is_file():
            depth = dataset.load_gt_depth(info)
            # what is known stays known: 0 stands for nothing
            stored = np.where(depth > 0, np.clip(np.round(depth * 256), 1, 65535), 0)
            png = cv2.imencode('.png', stored.astype(np.uint16))[1]
            atomic_write(target, png.tobytes(), sync=False)
    return len(dataset)


def _maps(dataset: KITTIRawDataset) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for i in track(range(len(dataset)), len(dataset)):
        info = dataset.get_data_info(i)
        image = Path(info['img_path']).relative_to(dataset.data_root).with_suffix('')
        yield image.as_posix(), info['gt_depth'], info['K_ori']

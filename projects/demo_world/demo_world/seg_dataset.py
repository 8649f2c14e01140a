"""Drives with semantic labels as a data set of mmseg."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset, CityscapesDataset
from mmseg.registry import DATASETS

from mmscd.datasets.formats.images import read_labels
from mmscd.utils.text import read_text

IGNORED = 255
IMAGE_SUFFIXES = ('.jpg', '.png', '.jpeg')


@DATASETS.register_module()
class LabelledDrivesDataset(BaseSegDataset):
    """Images of KITTI-raw drives and their label images, all frames that have labels.

    The drives are those named in a split list of the depth network. Unlike there, frames without
    neighbours count too: a segmentation network looks at single images. Labels are
    `DRIVE/labels/image_02/NAME.png`, uint8 with the 19 train ids of Cityscapes and 255 for
    pixels that do not count; they belong to `DRIVE/image_02/data/NAME.jpg` (or `.png`).

    Args:
        data_root: root of the set.
        ann_file: list of lines `folder frame side`, relative to `data_root`; only the folders are
            read.
        kwargs: as in mmseg's `BaseSegDataset`.

    Raises:
        FileNotFoundError: list, labels or an image are missing.
        ValueError: a line of the list is malformed, or the labels are no train ids.
    """

    METAINFO = CityscapesDataset.METAINFO

    def __init__(self, data_root: str, ann_file: str, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Frames of all drives, in the order of the list and of the frames' names."""
        samples = [frame for drive in self._drives() for frame in self._frames(drive)]
        check_labels(Path(samples[0]['seg_map_path']), len(self.METAINFO['classes']))
        return samples

    def _drives(self) -> list[Path]:
        listed = Path(self.ann_file)
        if not listed.is_file():
            out = shlex.quote(str(self.data_root))
            raise FileNotFoundError(
                f'there is no list {listed}; render the set by `python '
                f'projects/demo_world/render.py --out {out}`, or name another data_root'
            )
        folders: dict[str, None] = {}
        for number, line in enumerate(read_text(listed).rstrip().splitlines(), 1):
            parts = line.split()
            if len(parts) not in (2, 3):
                raise ValueError(f"{listed}:{number}: expected 'folder frame side', got {line!r}")
            folders[parts[0]] = None
        if not folders:
            raise ValueError(f'{listed} lists no frame')
        return [Path(self.data_root) / folder for folder in folders]

    def _frames(self, drive: Path) -> list[dict]:
        labels = sorted((drive / 'labels' / 'image_02').glob('[!.]*.png'))
        if not labels:
            raise FileNotFoundError(f'{drive} has no labels (looked for labels/image_02/*.png)')
        return [
            dict(
                img_path=str(_image_of(drive / 'image_02' / 'data' / label.stem)),
                seg_map_path=str(label),
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for label in labels
        ]


def check_labels(path: Path, classes: int) -> None:
    """Refuse label images of another kind: colours, or the raw ids of Cityscapes.

    Args:
        path: of a label image.
        classes: number of classes; ids are below it, or 255.

    Raises:
        ValueError: it is no single-channel uint8 image, or it holds other ids.
    """
    labels = read_labels(path)
    if labels.dtype != np.uint8:
        raise ValueError(f'{path} must be a uint8 image of train ids, found {labels.dtype}')
    strange = sorted(set(np.unique(labels).tolist()) - {*range(classes), IGNORED})
    if strange:
        raise ValueError(
            f'{path} holds the ids {strange}; train ids are 0 to {classes - 1}, and {IGNORED} for '
            'pixels that do not count: map the labels first'
        )


def _image_of(stem: Path) -> Path:
    for suffix in IMAGE_SUFFIXES:
        if stem.with_suffix(suffix).is_file():
            return stem.with_suffix(suffix)
    raise FileNotFoundError(
        f'{stem.parent} has no image {stem.name} ({", ".join(IMAGE_SUFFIXES)}), but there are '
        'labels for it'
    )

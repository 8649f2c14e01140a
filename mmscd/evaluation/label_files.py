"""Semantic labels that lie beside the images, and the pixels of objects in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.images import check_same_view, read_labels

from .error_analysis import CITYSCAPES_CLASSES, MOVABLE_NAMES

# what stands or moves on a street and is easily lost: poles, lights, signs, people, vehicles
OBJECT_NAMES = ('pole', 'traffic light', 'traffic sign', *MOVABLE_NAMES)
# the metric of their pixels alone
OBJECTS = 'objects_abs_rel'


def read_labels_at(path: Path, img_path: str, shape: tuple[int, int]) -> np.ndarray:
    """Labels (H, W) of an image at the size of its ground truth, by nearest neighbour."""
    labels = read_labels(path).astype(np.int32)
    truth = f'the ground truth of {img_path}'
    check_same_view(path, labels.shape[::-1], truth, shape[::-1])
    if labels.shape != tuple(shape):
        labels = cv2.resize(labels, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return labels.astype(np.int64)


class LabelsBeside:
    """Label images (.png, train ids of Cityscapes) whose paths are those of the images but for a
    part: `replaced`, of which `by` takes the place, as `image_02/data` and `labels/image_02`."""

    classes = CITYSCAPES_CLASSES

    def __init__(self, replaced: str, by: str) -> None:
        self.replaced, self.by = replaced, by

    def __call__(
        self, img_path: str, image: Callable[[], np.ndarray] | None, shape: tuple[int, int]
    ) -> np.ndarray:
        """Labels (H, W) at a size, by nearest neighbour; `image` is not called."""
        before, found, after = Path(img_path).as_posix().rpartition(self.replaced)
        if not found:
            raise ValueError(
                f'{img_path} does not hold {self.replaced!r}, of which {self.by!r} shall take the '
                'place in the path of its labels: correct `labels` of the protocol'
            )
        path = Path(f'{before}{self.by}{after}').with_suffix('.png')
        return read_labels_at(path, img_path, shape)

    def objects(self, img_path: str, shape: tuple[int, int]) -> np.ndarray:
        """Which pixels of an image show objects, bool (H, W) at a size."""
        numbers = [CITYSCAPES_CLASSES.index(name) for name in OBJECT_NAMES]
        return np.isin(self(img_path, None, shape), numbers)

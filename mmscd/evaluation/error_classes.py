"""Semantic classes of the pixels of an image: from label images, or as a segmentor sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mmscd.models.loading import check_device
from mmscd.models.teachers import MMSegTeacher
from mmscd.utils.files import list_files

from .error_analysis import CITYSCAPES_CLASSES
from .label_files import read_labels_at


class LabelFolder:
    """Label images of a folder, found by the end of an image's path.

    `drive/0001.png` below the folder belongs to `.../drive/0001.jpg`; a flat folder needs names
    that no two images share. `suffix` is that of the labels' names, e.g. `_gtFine_labelTrainIds`;
    without `classes` the labels are those of Cityscapes.
    """

    def __init__(
        self, folder: Path, suffix: str = '', classes: Sequence[str] | None = None
    ) -> None:
        files = list_files(folder, ('.png',), below=True)
        files = [path for path in files if path.stem.endswith(suffix)]
        if not files:
            raise FileNotFoundError(f'{folder} holds no labels (*{suffix}.png): check --labels')
        end = len(suffix) + len('.png')
        self.folder, self.classes = folder, classes or CITYSCAPES_CLASSES
        self.files = {path.relative_to(folder).as_posix()[:-end]: path for path in files}
        self._owners: dict[Path, str] = {}

    def find(self, img_path: str) -> Path:
        """The label image of an image; an error where there is none, or another image has it."""
        parts = Path(img_path).with_suffix('').parts
        ends = ('/'.join(parts[start:]) for start in range(len(parts)))
        path = next((self.files[end] for end in ends if end in self.files), None)
        if path is None:
            raise FileNotFoundError(
                f'{self.folder} has no label for {img_path}: expected the end of its path with .png'
            )
        owner = self._owners.setdefault(path, img_path)
        if owner != img_path:
            raise ValueError(
                f'{path} would be the label of {owner} and of {img_path}: put labels into folders '
                'named like those of the images'
            )
        return path

    def __call__(
        self, img_path: str, image: Callable[[], np.ndarray], shape: tuple[int, int]
    ) -> np.ndarray:
        """Labels (H, W) at a size, by nearest neighbour; `image` is not called."""
        return read_labels_at(self.find(img_path), img_path, shape)


class TeacherLabels:
    """Classes that a segmentation network of mmseg sees.

    `config` is a path or `mmseg::...`; `size` (width, height) of its input (None: the image's).
    Without `classes` the names are those of the checkpoint, or Cityscapes' where it has 19 without
    names.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        size: tuple[int, int] | None = None,
        device: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.device = check_device(device)
        teacher = MMSegTeacher(config, checkpoint, needs_logits=True, input_size=size)
        self.teacher = teacher.to(self.device)
        count = self.teacher.num_classes or len(CITYSCAPES_CLASSES)
        numbered = tuple(f'class {number}' for number in range(count))
        names = CITYSCAPES_CLASSES if count == len(CITYSCAPES_CLASSES) else numbered
        self.classes = classes or self.teacher.classes or names

    def __call__(
        self, img_path: str, image: Callable[[], np.ndarray], shape: tuple[int, int]
    ) -> np.ndarray:
        """Labels (H, W), the largest of the resized logits of what `image` gives, uint8 RGB."""
        pixels = torch.from_numpy(np.ascontiguousarray(image())).to(self.device)
        images = pixels.permute(2, 0, 1)[None].float() / 255
        logits = self.teacher(images)['logits']
        logits = F.interpolate(logits, tuple(shape), mode='bilinear', align_corners=False)
        return logits.argmax(1)[0].cpu().numpy()

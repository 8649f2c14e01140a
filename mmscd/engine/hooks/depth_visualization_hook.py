"""`DepthVisualizationHook`: pictures during validation and for every tested image."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmscd.registry import HOOKS
from mmscd.structures.depth_data_sample import DepthDataSample
from mmscd.visualization import DepthVisualizer, read_image

Samples = Sequence[DepthDataSample] | None


@HOOKS.register_module()
class DepthVisualizationHook(Hook):
    """Draw image | depth | error, in validation for a few images, in a test for all.

    Which images are drawn depends on `sample_idx` alone: the same ones each time, and over several
    ranks each by the rank that has it.

    Args:
        interval: in validation, draw every n-th image of the data set. None spreads `max_images`
            evenly over it.
        max_images: in validation, at most so many; 0 draws none.
        show_dir: in a test, the folder for a picture of every image; None draws none.
        suffix: '.jpg' or '.png'.

    Validation writes to `{work_dir}/vis/iter_{N}/`.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int | None = None,
        max_images: int = 8,
        show_dir: str | os.PathLike | None = None,
        suffix: str = '.jpg',
    ) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        if max_images < 0:
            raise ValueError(f'max_images must not be negative, got {max_images}')
        if suffix not in ('.jpg', '.png'):
            raise ValueError(f"suffix must be '.jpg' or '.png', got {suffix!r}")
        self.interval, self.max_images = interval, max_images
        self.show_dir, self.suffix = show_dir, suffix
        self._visualizer: DepthVisualizer | None = None

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Samples = None
    ) -> None:
        """Draw the chosen images of a validation batch."""
        if not self.max_images:
            return
        size = len(runner.val_dataloader.dataset)
        interval = self.interval or math.ceil(size / self.max_images)
        folder = Path(runner.work_dir) / 'vis' / f'iter_{_iteration(runner)}'
        for i, sample in enumerate(outputs or ()):
            turn, rest = divmod(int(sample.sample_idx), interval)
            if rest == 0 and turn < self.max_images:
                self._draw(runner, sample, _image(sample, data_batch, i), folder)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Samples = None
    ) -> None:
        """Draw every image of a test batch, where there is a `show_dir`."""
        if self.show_dir is None:
            return
        for i, sample in enumerate(outputs or ()):
            self._draw(runner, sample, _image(sample, data_batch, i), Path(self.show_dir))

    def _draw(
        self, runner: Runner, sample: DepthDataSample, image: np.ndarray, folder: Path
    ) -> None:
        if self._visualizer is None:
            own = isinstance(runner.visualizer, DepthVisualizer)
            self._visualizer = runner.visualizer if own else DepthVisualizer('depth_pictures')
        name = picture_name(sample)
        file = folder / f'{name}{self.suffix}'
        self._visualizer.add_datasample(name, image, sample, out_file=file)


def picture_name(sample: DepthDataSample) -> str:
    """A file name that tells the index and the place of an image.

    Frames of different drives bear the same names, so the folders above are kept: KITTI's
    `.../2011_09_26_drive_0013_sync/image_02/data/0000000005.png` of index 3 becomes
    `00003_2011_09_26_drive_0013_sync_image_02_0000000005`.
    """
    path = Path(sample.img_path)
    folders = [part for part in path.parts[:-1] if part not in ('data', path.anchor)]
    return '_'.join([f'{int(sample.sample_idx):05d}', *folders[-2:], path.stem])


def _image(sample: DepthDataSample, data_batch: Any, i: int) -> np.ndarray:
    """The image from its file; for frames of a video, which have none, the i-th of the batch."""
    try:
        return read_image(sample.img_path)
    except FileNotFoundError:
        if not isinstance(data_batch, Mapping) or 'inputs' not in data_batch:
            raise
    return data_batch['inputs']['frames'][i][0].permute(1, 2, 0).cpu().numpy()


def _iteration(runner: Runner) -> int:
    """The training iteration; 0 where nothing is trained.

    `runner.iter` would build the train loop of a runner that only validates.
    """
    loop = runner._train_loop
    return 0 if loop is None or isinstance(loop, dict) else runner.iter

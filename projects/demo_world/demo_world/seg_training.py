"""What training a segmentation network on a CPU needs beside mmseg: bfloat16, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS, OPTIM_WRAPPERS
from torch import nn

from mmscd.datasets.formats.images import read_image

from .writer import write_image


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Runs the training step under bfloat16 autocast on the device at hand.

    mmengine's `AmpOptimWrapper` refuses the CPU. bfloat16 has the range of float32, so there is no
    loss to scale.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward pass."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


@HOOKS.register_module()
class PredictionSheetHook(Hook):
    """Writes what the network says about the evaluation frames: image, labels, prediction.

    Leaves `val_predictions.png` and `test_predictions.png` in the work dir, the latest ones.

    Args:
        interval: every so many batches the first frame is shown.
        most: rows at most.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 1, most: int = 12) -> None:
        if interval < 1 or most < 1:
            raise ValueError(f'expected 1 <= interval, most; got interval={interval}, most={most}')
        self.interval, self.most = interval, most
        self.rows: list[np.ndarray] = []

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw a row."""
        self._collect(runner.val_dataloader, batch_idx, outputs)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw a row."""
        self._collect(runner.test_dataloader, batch_idx, outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Write the sheet."""
        self._write(Path(runner.work_dir) / 'val_predictions.png')

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Write the sheet."""
        self._write(Path(runner.work_dir) / 'test_predictions.png')

    def _collect(self, loader: Any, batch_idx: int, outputs: Sequence[Any]) -> None:
        if batch_idx % self.interval == 0 and len(self.rows) < self.most:
            self.rows.append(draw_prediction(outputs[0], loader.dataset.metainfo['palette']))

    def _write(self, path: Path) -> None:
        if self.rows:
            # frames of several sizes: all rows get the width of the first
            width = self.rows[0].shape[1]
            scaled = [cv2.resize(r, (width, r.shape[0] * width // r.shape[1])) for r in self.rows]
            write_image(path, np.vstack(scaled))
        self.rows = []


def draw_prediction(sample: Any, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Image, labels and prediction side by side.

    Args:
        sample: mmseg's `SegDataSample` with `img_path`, `gt_sem_seg` and `pred_sem_seg`.
        palette: a colour (red, green, blue) per class.

    Returns:
        (H, 3 W, 3) uint8, BGR; pixels without a label are black.
    """
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = np.asarray(palette)[:, ::-1]
    maps = [getattr(sample, k).data[0].cpu().numpy() for k in ('gt_sem_seg', 'pred_sem_seg')]
    height, width = maps[0].shape
    image = cv2.resize(read_image(sample.img_path)[..., ::-1], (width, height))
    return np.hstack([image, *(colours[m.astype(np.uint8)] for m in maps)])

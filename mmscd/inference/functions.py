"""Functions for those who want no class: `init_model`, then `inference_depth`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import nn

from .inputs import FrameReader, count_images, make_batches
from .pipeline import build_pipeline, depth_and_disp


@torch.no_grad()
def inference_depth(
    model: nn.Module, images: Any, batch_size: int = 4
) -> np.ndarray | list[np.ndarray]:
    """Depth of one or several images.

    Args:
        model: of `init_model`.
        images: anything that `DepthInferencer` takes: path, uint8 RGB array, list of them, ...
        batch_size: images at once.

    Returns:
        float32 (H, W) of the image's size for one image, as the network gives it: up to scale, or
        metres for models trained on stereo pairs and where the checkpoint has a
        `meta['depth_scale']`. A list of maps for all else.

    Raises:
        FileNotFoundError, OSError, TypeError, ValueError: an image is missing or unreadable.
    """
    pipeline, maps = build_pipeline(model.cfg), []
    scale = getattr(model, 'depth_scale', None) or 1.0
    for frames in make_batches(FrameReader(images), batch_size):
        samples = model.test_step(default_collate([pipeline(frame) for frame in frames]))
        maps += [depth_and_disp(sample, model)[0] * np.float32(scale) for sample in samples]
    single = not isinstance(images, (list, tuple)) and count_images(images) == 1
    return maps[0] if single and len(maps) == 1 else maps

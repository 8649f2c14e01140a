"""Corrupted images, with what the models see in them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from mmscd.visualization.colormap import colorize_depth
from mmscd.visualization.rendering import add_head, panel_size, resize_image, stack_panels

from .contestants import Contestant, RobustnessOptions
from .data import BenchmarkImages, CorruptedImages, read_batches
from .scores import CLEAN

# title, image uint8 RGB (H, W, 3), [(model, inverse depth (h, w))]
Example = tuple[str, np.ndarray, list[tuple[str, np.ndarray]]]


@torch.no_grad()
def predict_examples(
    models: Sequence[Contestant], options: RobustnessOptions, severity: int
) -> list[Example]:
    """The middle image of the test set (as the first model gets it), clean and corrupted."""
    passes = [(CLEAN, 0), *((name, severity) for name in options.corruptions)]
    examples: list[Example] = []
    for model in models:
        cfg = model.cfg.test_dataloader.dataset.to_dict()
        source = BenchmarkImages(cfg, options.protocol, model.metric)
        image = source.load(len(source) // 2)
        places = options.kitti_c, options.shifted
        data = CorruptedImages([image], passes, source, options.seed, *places)
        for batch in read_batches(data, 1, 0):
            name, level = passes[batch['number']]
            sample = model.model.test_step(batch['data'])[0]
            if len(examples) <= batch['number']:
                frame = batch['data']['inputs']['frames'][0, 0].permute(1, 2, 0).numpy()
                examples.append((name if name == CLEAN else f'{name} {level}', frame, []))
            inverse = sample.pred_inv_depth.data[0].float().cpu().numpy()
            examples[batch['number']][2].append((model.name, inverse))
    return examples


def example_sheet(
    examples: Sequence[Example], panel_width: int = 400, columns: int = 2
) -> np.ndarray:
    """Images, each beside the depth that the models see in it, uint8 RGB; widths in pixels."""
    strips = []
    for title, image, predictions in examples:
        size = panel_size(image.shape[:2], panel_width)
        panels = [add_head(resize_image(image, size), title)]
        for model, inverse in predictions:
            inverse = cv2.resize(np.ascontiguousarray(inverse, np.float32), size[::-1])
            panels.append(add_head(colorize_depth(1 / np.maximum(inverse, 1e-9)), model))
        strips.append(stack_panels(panels, 'horizontal'))
    strips += [np.zeros_like(strips[0])] * (-len(strips) % columns)
    count = len(strips) // columns
    stacks = [stack_panels(strips[i * count : (i + 1) * count], 'vertical') for i in range(columns)]
    return stack_panels(stacks, 'horizontal', gap=10)

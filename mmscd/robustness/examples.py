"""One image under all corruptions, with what the models see in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .contestants import Contestant, RobustnessOptions
from .data import BenchmarkImages, CorruptedImages, read_batches
from .scores import CLEAN

Example = tuple[str, np.ndarray, list[tuple[str, np.ndarray]]]


@torch.no_grad()
def predict_examples(
    models: Sequence[Contestant], options: RobustnessOptions, severity: int
) -> list[Example]:
    """The middle image of the test set, clean and under every corruption.

    Args:
        models: whose predictions are wanted; the images are those of the first one.
        options: of the run.
        severity: of the corruptions.

    Returns:
        title, image uint8 RGB (H, W, 3), [(model, inverse depth (h, w))] of each.
    """
    passes = [(CLEAN, 0), *((name, severity) for name in options.corruptions)]
    examples: list[Example] = []
    for model in models:
        cfg = model.cfg.test_dataloader.dataset.to_dict()
        source = BenchmarkImages(cfg, options.protocol, model.metric)
        image = source.load(len(source) // 2)
        data = CorruptedImages([image], passes, source, options.seed, options.kitti_c)
        for batch in read_batches(data, 1, 0):
            name, level = passes[batch['number']]
            sample = model.model.test_step(batch['data'])[0]
            if len(examples) <= batch['number']:
                frame = batch['data']['inputs']['frames'][0, 0].permute(1, 2, 0).numpy()
                examples.append((name if name == CLEAN else f'{name} {level}', frame, []))
            inverse = sample.pred_inv_depth.data[0].float().cpu().numpy()
            examples[batch['number']][2].append((model.name, inverse))
    return examples

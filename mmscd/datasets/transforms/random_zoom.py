"""Random zoom: crops that keep the camera geometry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mmscd.registry import TRANSFORMS
from mmscd.utils.keyed_random import uniform


@TRANSFORMS.register_module()
class RandomZoom:
    """Cut the same random window out of all frames of a sample and move `K`'s principal point.

    With the `ResizeFrames` that follows, this shows things at other sizes and places than the
    camera does, so that a network trained on little data cannot learn where in the image which
    depth is usual. View synthesis stays exact, because `K` follows. Multi-scale training of this
    kind is what He et al., "RA-Depth", 2022, build on.

    Args:
        scale: smallest and largest side of the window, as a share of the image's.
        prob: probability of a zoom.
    """

    def __init__(self, scale: Sequence[float] = (0.6, 1.0), prob: float = 0.5) -> None:
        low, high = scale
        if not 0 < low <= high <= 1:
            raise ValueError(f'scale must lie in (0, 1] with low <= high, got {scale}')
        self.scale = (float(low), float(high))
        self.prob = prob

    def __call__(self, results: dict) -> dict:
        key = torch.tensor([results['draw_key']], dtype=torch.int64)
        chosen, size, left, top = uniform(key, 'zoom', 4)[0].tolist()
        if chosen >= self.prob:
            return results
        height, width = results['frames'][0].shape[:2]
        share = self.scale[0] + (self.scale[1] - self.scale[0]) * size
        crop_w, crop_h = round(width * share), round(height * share)
        x, y = round((width - crop_w) * left), round((height - crop_h) * top)
        results['frames'] = [f[y : y + crop_h, x : x + crop_w] for f in results['frames']]
        results['K'] = results['K'] - np.array([[0, 0, x], [0, 0, y], [0, 0, 0]])
        return results

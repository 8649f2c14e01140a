"""Lite-Mono's decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.registry import MODELS

from .disp_head import SkipDecoder


@MODELS.register_module()
class LiteMonoHead(SkipDecoder):
    """Bilinear upsampling, skip connections; a disparity is predicted at half of its resolution and
    then upsampled (Zhang et al., "Lite-Mono", CVPR 2023).

    Args:
        in_channels: channels of the encoder's maps at strides 4, 8, 16; the decoder has half.
        scales: which disparities are put out, finest first; scale k has 1/2^k of the size.
        init_cfg: mmengine's initialisation.
    """

    stride = 16

    def __init__(
        self,
        in_channels: Sequence[int] = (48, 80, 128),
        scales: Sequence[int] = (0, 1, 2),
        init_cfg: dict | None = None,
    ) -> None:
        if len(in_channels) != 3:
            raise ValueError(f'three maps are expected, got channels {in_channels}')
        if not scales or list(scales) != sorted(set(scales)) or not set(scales) <= {0, 1, 2}:
            raise ValueError(f'scales must be some of 0, 1, 2, ascending, got {scales}')
        super().__init__(scales, {2: 1, 1: 0}, init_cfg)
        width = in_channels[-1]
        for level in (2, 1, 0):
            skip = in_channels[level - 1] if level else 0
            self.add_level(level, width, skip, in_channels[level] // 2)
            width = in_channels[level] // 2
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def upsample(self, x: Tensor) -> Tensor:
        """A map at twice its size."""
        return F.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)

    def logits(self, name: str, x: Tensor) -> Tensor:
        """Disparity of a level before the sigmoid, predicted at half of its size."""
        return self.upsample(self.predict[name](x))

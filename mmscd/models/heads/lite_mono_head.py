"""Lite-Mono's decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)


@MODELS.register_module()
class LiteMonoHead(BaseModule):
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
        super().__init__(init_cfg)
        if len(in_channels) != 3:
            raise ValueError(f'three maps are expected, got channels {in_channels}')
        if not scales or list(scales) != sorted(set(scales)) or not set(scales) <= {0, 1, 2}:
            raise ValueError(f'scales must be some of 0, 1, 2, ascending, got {scales}')
        self.scales = tuple(scales)
        self.reduce, self.fuse, self.predict = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        width = in_channels[-1]
        for level in (2, 1, 0):
            out, name = in_channels[level] // 2, str(level)
            skip = in_channels[level - 1] if level else 0
            options = dict(kernel_size=3, padding=1, padding_mode='reflect')
            self.reduce[name] = nn.Conv2d(width, out, **options)
            self.fuse[name] = nn.Conv2d(out + skip, out, **options)
            if level in self.scales:
                self.predict[name] = nn.Conv2d(out, 1, **options)
            width = out
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Disparities.

        Args:
            feats: the encoder's maps, fine to coarse.

        Returns:
            One (B, 1, H / 2^k, W / 2^k) in (0, 1) per scale k, in the order of `scales`.
        """
        x = feats[-1]
        full_dtype = self.predict[str(self.scales[0])].weight.dtype
        disps: dict[int, Tensor] = {}
        for level in (2, 1, 0):
            name = str(level)
            x = _double(F.elu(self.reduce[name](x)))
            if level > 0:
                x = torch.cat([x, feats[level - 1]], 1)
            x = F.elu(self.fuse[name](x))
            if level in self.scales:
                # eight bits of mantissa would show as bands in the depth map
                with torch.autocast(x.device.type, enabled=False):
                    disps[level] = torch.sigmoid(_double(self.predict[name](x.to(full_dtype))))
        return [disps[level] for level in self.scales]

"""A backbone of one's own: five maps from plain convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


@MODELS.register_module()
class TinyEncoder(BaseModule):
    """A convolution of stride 2 and one of stride 1 per map: strides 2, 4, 8, ...

    Args:
        channels: of the maps, fine to coarse; `disp_head.in_channels` must say the same.
        init_cfg: mmengine's initialisation, e.g. `dict(type='Pretrained', checkpoint=PATH)`.
    """

    def __init__(
        self, channels: Sequence[int] = (16, 24, 32, 48, 64), init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.stages = nn.ModuleList()
        width = 3
        for wider in channels:
            layers: list[nn.Module] = []
            for stride in (2, 1):
                layers += [nn.Conv2d(width, wider, 3, stride, 1, bias=False)]
                layers += [nn.BatchNorm2d(wider), nn.ReLU(inplace=True)]
                width = wider
            self.stages.append(nn.Sequential(*layers))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps of normalised images (B, 3, H, W), fine to coarse."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)

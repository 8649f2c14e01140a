"""Decoder from feature maps to disparity at several scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, log2

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


def _conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode='reflect')


class SkipDecoder(BaseModule):
    """Levels from coarse to fine: convolve, upsample, put the encoder's map of that size beside,
    fuse; `scales` put out a disparity. `skip_index` says by level which map it is."""

    def __init__(
        self, scales: Sequence[int], skip_index: Mapping[int, int], init_cfg: dict | None
    ) -> None:
        super().__init__(init_cfg)
        self.scales, self.skip_index = tuple(scales), skip_index
        self.reduce, self.fuse, self.predict = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()

    def add_level(self, level: int, width: int, skip_width: int, channels: int) -> None:
        """The next finer level; the one before it has `width` channels."""
        name = str(level)
        self.reduce[name] = _conv3x3(width, channels)
        self.fuse[name] = _conv3x3(channels + skip_width, channels)
        if level in self.scales:
            self.predict[name] = _conv3x3(channels, 1)

    def upsample(self, x: Tensor) -> Tensor:
        """A map at twice its size."""
        return F.interpolate(x, scale_factor=2.0, mode='nearest')

    def logits(self, name: str, x: Tensor) -> Tensor:
        """Disparity of a level before the sigmoid."""
        return self.predict[name](x)

    def forward(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Of the encoder's maps, fine to coarse, one disparity (B, 1, H / 2^k, W / 2^k) in (0, 1)
        per scale k, in the order of `scales`."""
        x, disps = feats[-1], {}
        full_dtype = self.predict[str(self.scales[0])].weight.dtype
        for name in self.reduce:
            level = int(name)
            x = self.upsample(F.elu(self.reduce[name](x)))
            if level in self.skip_index:
                x = torch.cat([x, feats[self.skip_index[level]]], 1)
            x = F.elu(self.fuse[name](x))
            if level in self.scales:
                # eight bits of mantissa would show as bands in the depth map
                with torch.autocast(x.device.type, enabled=False):
                    disps[level] = torch.sigmoid(self.logits(name, x.to(full_dtype)))
        return [disps[level] for level in self.scales]


@MODELS.register_module()
class DispHead(SkipDecoder):
    """Monodepth2's decoder: nearest upsampling, skip connections, ELU, sigmoid disparity.

    Works over any pyramid: level i of the decoder has stride 2^i and takes the encoder's map of
    that stride where there is one, so encoders without a stride-2 map (transformers) fit too.

    Args:
        in_channels: channels of the encoder's maps, fine to coarse.
        in_strides: their strides, ascending powers of two.
        channels: decoder channels at strides 1, 2, 4, ...; one per level.
        initial_disp: disparity that training starts from, in (0, 1); None: what random weights
            give, about 0.5. The scale of a monocular training settles early: where it settles too
            small, near things fall below `min_depth` and saturate. Short trainings need a start
            further from that end.
        scales: levels that put out a disparity, finest first; scale k has 1/2^k of the size.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 64, 128, 256, 512),
        in_strides: Sequence[int] = (2, 4, 8, 16, 32),
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        scales: Sequence[int] = (0, 1, 2, 3),
        initial_disp: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if len(in_channels) != len(in_strides):
            raise ValueError(f'in_channels {in_channels} and in_strides {in_strides} differ')
        levels = int(log2(in_strides[-1]))
        if list(in_strides) != sorted({2 ** int(log2(s)) for s in in_strides}):
            raise ValueError(f'in_strides must be ascending powers of two, got {in_strides}')
        if len(channels) < levels:
            raise ValueError(f'stride {in_strides[-1]} needs {levels} channels, got {channels}')
        if not scales or not set(scales) <= set(range(levels)):
            raise ValueError(
                f'scales must be some of {list(range(levels))} for maps of strides {in_strides}, '
                f'got {scales}'
            )
        if initial_disp is not None and not 0 < initial_disp < 1:
            raise ValueError(f'initial_disp must lie in (0, 1), got {initial_disp}')
        skip_index = {int(log2(s)): i for i, s in enumerate(in_strides[:-1])}
        super().__init__(scales, skip_index, init_cfg)
        self.stride = in_strides[-1]
        width = in_channels[-1]
        for level in reversed(range(levels)):
            skip = in_channels[skip_index[level]] if level in skip_index else 0
            self.add_level(level, width, skip, channels[level])
            width = channels[level]
            if level in scales and initial_disp is not None:
                odds = initial_disp / (1 - initial_disp)
                nn.init.constant_(self.predict[str(level)].bias, log(odds))

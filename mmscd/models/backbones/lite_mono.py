"""Lite-Mono's encoder: dilated depthwise convolutions and attention across channels.

Zhang et al., "Lite-Mono: A Lightweight CNN and Transformer Architecture for Self-Supervised
Monocular Depth Estimation", CVPR 2023. Attention across channels: El-Nouby et al., "XCiT", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


def _conv_norm_gelu(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.GELU())


class _Branch(nn.Module):
    """Pointwise expansion to `expansion` x channels and back with a learnt scale per channel, at
    first `scale`. In training a sample passes without it with probability `drop` (stochastic
    depth)."""

    def __init__(self, channels: int, expansion: int, drop: float, scale: float) -> None:
        super().__init__()
        self.expand = nn.Linear(channels, expansion * channels)
        self.reduce = nn.Linear(expansion * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), scale))
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, C, H, W)."""
        x = (self.gamma * self.reduce(F.gelu(self.expand(x)))).permute(0, 3, 1, 2)
        if self.training and self.drop > 0:
            keep = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            x = x * keep / (1 - self.drop)
        return x


class DilatedBlock(nn.Module):
    """Dilated depthwise convolution, then the branch; residual."""

    def __init__(
        self, channels: int, dilation: int, expansion: int, drop: float, scale: float
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, padding=dilation, dilation=dilation, groups=channels, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        self.branch = _Branch(channels, expansion, drop, scale)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), any size."""
        return x + self.branch(self.norm(self.depthwise(x)).permute(0, 2, 3, 1))


class FourierPosition(nn.Module):
    """Sines and cosines of row and column, `waves` numbers per axis, projected to the channels;
    `temperature` is the ratio of the longest wave to the shortest."""

    def __init__(self, channels: int, waves: int = 32, temperature: float = 10000.0) -> None:
        super().__init__()
        self.project = nn.Conv2d(2 * waves, channels, 1)
        pairs = torch.arange(waves).div(2, rounding_mode='floor')
        frequency = temperature ** (-2 * pairs.float() / waves)
        self.register_buffer('frequency', frequency, persistent=False)

    def forward(self, height: int, width: int) -> Tensor:
        """(1, channels, height, width)."""
        rows, columns = self._encode(height)[:, None], self._encode(width)[None]
        count = rows.shape[-1]
        rows, columns = rows.expand(-1, width, count), columns.expand(height, -1, count)
        encoding = torch.cat([rows, columns], -1).permute(2, 0, 1)[None]
        return self.project(encoding.to(self.project.weight.dtype))

    def _encode(self, size: int) -> Tensor:
        """(size, waves): sine and cosine in turns, one whole turn over the image."""
        place = torch.arange(1, size + 1, device=self.frequency.device) / (size + 1e-6)
        angle = 2 * math.pi * place[:, None] * self.frequency
        return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], -1).flatten(1)


class ChannelAttention(nn.Module):
    """Attention between the channels of `heads` groups instead of between pixels: cost grows
    linearly with the pixels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        batch, count, channels = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 4, 1)  # each (B, heads, C / heads, N)
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        attention = (query @ key.transpose(-2, -1) * self.temperature).softmax(-1)
        return self.project((attention @ value).permute(0, 3, 1, 2).reshape(tokens.shape))


class AttentionBlock(nn.Module):
    """Channel attention, then the branch; residual (the paper's local-global interaction)."""

    def __init__(
        self, channels: int, heads: int, position: bool, expansion: int, drop: float, scale: float
    ) -> None:
        super().__init__()
        self.position = FourierPosition(channels) if position else None
        self.norm_attention = nn.LayerNorm(channels, eps=1e-6)
        self.attention = ChannelAttention(channels, heads)
        self.gamma = nn.Parameter(torch.full((channels,), scale))
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.branch = _Branch(channels, expansion, drop, scale)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), any size."""
        y = x if self.position is None else x + self.position(*x.shape[-2:])
        tokens = y.flatten(2).transpose(1, 2)
        tokens = tokens + self.gamma * self.attention(self.norm_attention(tokens))
        y = tokens.transpose(1, 2).reshape(x.shape).permute(0, 2, 3, 1)
        return x + self.branch(self.norm(y))


@MODELS.register_module()
class LiteMono(BaseModule):
    """Three maps at strides 4, 8, 16.

    Every stage is a row of dilated blocks and one attention block. Average-pooled copies of the
    image are put beside the maps before each reduction.

    Args:
        channels: of the three stages: (48, 80, 128) for Lite-Mono and -small, (32, 64, 128) for
            -tiny, (64, 128, 224) for -8M.
        dilations: of the dilated blocks of each stage; one attention block comes after them.
        heads: of the attention.
        expansion: width of the pointwise branches.
        drop_path: probability of dropping the last branch; it grows from 0 over the depth.
        layer_scale: initial scale of the branches.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        channels: Sequence[int] = (48, 80, 128),
        dilations: Sequence[Sequence[int]] = ((1, 2, 3), (1, 2, 3), (1, 2, 3, 1, 2, 3, 2, 4, 6)),
        heads: int = 8,
        expansion: int = 6,
        drop_path: float = 0.2,
        layer_scale: float = 1e-6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(channels) != 3 or len(dilations) != 3:
            raise ValueError(f'three stages are expected, got {channels} and {dilations}')
        first = channels[0]
        self.stem = nn.Sequential(
            _conv_norm_gelu(3, first, 2), *(_conv_norm_gelu(first, first, 1) for _ in range(2))
        )
        widths = [first + 3, *(2 * c + 3 for c in channels[:2])]
        self.reduce = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1, bias=False) for a, b in zip(widths, channels, strict=True)
        )
        total = sum(len(row) + 1 for row in dilations)
        drops = iter([drop_path * i / (total - 1) for i in range(total)])
        self.stages = nn.ModuleList()
        for number, (width, row) in enumerate(zip(channels, dilations, strict=True)):
            blocks = [DilatedBlock(width, d, expansion, next(drops), layer_scale) for d in row]
            last = AttentionBlock(width, heads, number == 0, expansion, next(drops), layer_scale)
            self.stages.append(nn.Sequential(*blocks, last))
        self.out_channels = tuple(channels)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images (B, 3, H, W), sides multiples of 16, to maps of `out_channels`."""
        image, maps = x, []
        beside = [self.stem(x)]
        for reduce, stage in zip(self.reduce, self.stages, strict=True):
            image = F.avg_pool2d(image, 3, 2, 1)
            start = reduce(torch.cat([*beside, image], 1))
            maps.append(stage(start))
            beside = [start, maps[-1]]
        return tuple(maps)

"""ResNet encoder with five maps, parameter names as in the usual ImageNet checkpoints."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


def _conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int) -> tuple:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(out_channels)


class _Residual(nn.Module):
    """What both block types share: shortcut, sum, ReLU."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        out_channels = width * self.expansion
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(*_conv_bn(in_channels, out_channels, 1, stride))

    def residual(self, x: Tensor) -> Tensor:
        raise TypeError('use BasicBlock or Bottleneck')

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.residual(x) + shortcut)


class BasicBlock(_Residual):
    """Two 3x3 convolutions (He et al., 2016)."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__(in_channels, width, stride)
        self.conv1, self.bn1 = _conv_bn(in_channels, width, 3, stride)
        self.conv2, self.bn2 = _conv_bn(width, width, 3, 1)

    def residual(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class Bottleneck(_Residual):
    """1x1, 3x3 (with the stride), 1x1 convolutions."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__(in_channels, width, stride)
        self.conv1, self.bn1 = _conv_bn(in_channels, width, 1, 1)
        self.conv2, self.bn2 = _conv_bn(width, width, 3, stride)
        self.conv3, self.bn3 = _conv_bn(width, width * 4, 1, 1)

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        return self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x)))))


ARCHITECTURES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


@MODELS.register_module()
class ResNetEncoder(BaseModule):
    """ResNet-18/34/50 that returns the stem's map too: strides 2, 4, 8, 16, 32.

    Checkpoints with torchvision's parameter names load as they are, also into an encoder with
    `in_channels` = 3 n: the first convolution is repeated n times and divided by n, so that n equal
    images give the response to one.

    Args:
        depth: 18, 34 or 50.
        in_channels: channels of the input; 6 for a pair of frames.
        norm_eval: keep batch-norm statistics as they are, also in training.
        init_cfg: mmengine's initialisation, e.g. `dict(type='Pretrained', checkpoint=PATH_OR_URL)`.
    """

    def __init__(
        self,
        depth: int = 18,
        in_channels: int = 3,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in ARCHITECTURES:
            raise ValueError(f'depth must be one of {sorted(ARCHITECTURES)}, got {depth}')
        block, counts = ARCHITECTURES[depth]
        self.norm_eval = norm_eval
        self.conv1, self.bn1 = _conv_bn(in_channels, 64, 7, 2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for i, count in enumerate(counts):
            blocks = []
            for j in range(count):
                blocks.append(block(channels, 64 * 2**i, 2 if i > 0 and j == 0 else 1))
                channels = 64 * 2**i * block.expansion
            self.add_module(f'layer{i + 1}', nn.Sequential(*blocks))
        self.out_channels = (64, *[64 * 2**i * block.expansion for i in range(4)])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
        self._register_load_state_dict_pre_hook(self._adapt_checkpoint)

    def _adapt_checkpoint(self, state_dict: dict, prefix: str, *_: object) -> None:
        for key in (f'{prefix}fc.weight', f'{prefix}fc.bias'):
            state_dict.pop(key, None)
        key = f'{prefix}conv1.weight'
        weight, wanted = state_dict.get(key), self.conv1.in_channels
        given = weight.shape[1] if isinstance(weight, Tensor) and weight.ndim == 4 else 0
        if 0 < given < wanted and wanted % given == 0:
            copies = wanted // given
            state_dict[key] = torch.cat([weight] * copies, 1) / copies

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images (B, in_channels, H, W) to five maps of `out_channels`."""
        maps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(maps[0])
        for i in range(1, 5):
            x = getattr(self, f'layer{i}')(x)
            maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> ResNetEncoder:
        """Training mode; with `norm_eval` batch norm stays in evaluation mode."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

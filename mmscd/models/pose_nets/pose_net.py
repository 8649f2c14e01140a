"""Relative camera motion of two frames."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmscd.registry import MODELS


@MODELS.register_module()
class PoseNet(BaseModule):
    """Encoder over two frames stacked along the channels and a small regression head.

    Args:
        encoder: config of a backbone with 6 input channels; its last map is used.
        in_channels: channels of that map.
        channels: width of the head.
        scale: factor of the output, so that training starts near the identity.
        translation_scale: factor of the translation; None: as `scale`. It decides how fast the
            scale of a monocular training can grow: too small, and depth settles near `min_depth`.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        encoder: dict,
        in_channels: int = 512,
        channels: int = 256,
        scale: float = 0.01,
        translation_scale: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.encoder = MODELS.build(encoder)
        self.scale = scale
        self.translation_scale = scale if translation_scale is None else translation_scale
        self.head = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.motion = nn.Linear(channels, 6)

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """T_second_first of frame pairs (N, 6, H, W), the earlier frame's channels first:
        axis-angle (N, 3), radians, and translation (N, 3), in units of depth."""
        feats = self.head(self.encoder(pairs)[-1])
        # the mean over the image before the linear layer is the same as after it, and cheaper;
        # in full precision, because the depth scale hangs on it
        with torch.autocast(feats.device.type, enabled=False):
            mean = feats.to(self.motion.weight.dtype).mean((2, 3))
            motion = self.motion(mean)
        return motion[:, :3] * self.scale, motion[:, 3:] * self.translation_scale

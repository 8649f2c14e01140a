"""A teacher of one's own: any network of the registry MODELS, e.g. an ImageNet classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmscd.models.taps import TapRecorder
from mmscd.registry import MODELS, TEACHERS


@TEACHERS.register_module()
class BackboneTeacher(nn.Module):
    """A frozen feature extractor without a decoder.

    Args:
        network: config of a network from normalised images to maps.
        taps: `module` (path in the network, `''` for itself), `index` where it puts out several
            maps, `channels`, `stride`.
        mean, std: of the images that it was trained on, RGB in [0, 1].
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        taps: Sequence[Mapping[str, Any]],
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__()
        # a copy after the first pass: whoever changes a map in place changes his own
        self.recorder = TapRecorder(taps, snapshot=True)
        self.taps = self.recorder.taps
        self.network = MODELS.build(dict(network))
        if getattr(self.network, 'init_cfg', None):
            self.network.init_weights()
        self.network.requires_grad_(False)
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        super().train(False)

    def train(self, mode: bool = True) -> BackboneTeacher:
        """Nothing: a teacher stays in eval mode."""
        return self

    @torch.no_grad()  # not inference_mode: what comes out takes part in losses
    def forward(self, images: Tensor) -> dict[str, Any]:
        """Maps of clean images.

        Args:
            images: (B, 3, H, W), RGB in [0, 1].

        Returns:
            `feats`: float32 maps (B, C, h, w) in the order of `taps`; `logits`: None.
        """
        with self.recorder.recording(self.network) as maps:
            self.network((images - self.mean) / self.std)
        return dict(feats=[m.float() for m in maps], logits=None)

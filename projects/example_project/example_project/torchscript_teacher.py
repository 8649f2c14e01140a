"""An expert from another code base, handed over as one TorchScript file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmscd.registry import TEACHERS


@TEACHERS.register_module()
class TorchScriptTeacher(nn.Module):
    """A file that takes RGB images in [0, 1] and gives a map or a tuple of maps.

    Args:
        file: of `torch.jit.save`.
        taps: one per map, with `module` (a name for messages), `channels` and `stride`.
    """

    def __init__(self, file: str, taps: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.taps = [dict(tap) for tap in taps]
        self.network = torch.jit.load(file, map_location='cpu').eval()
        for parameter in self.network.parameters():  # a script module has no requires_grad_()
            parameter.requires_grad = False

    def train(self, mode: bool = True) -> TorchScriptTeacher:
        """Nothing: a teacher stays in eval mode."""
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Any]:
        """`feats` in the order of `taps`, float32; no `logits`."""
        maps = self.network(images.float())
        return dict(feats=[maps] if isinstance(maps, Tensor) else list(maps), logits=None)

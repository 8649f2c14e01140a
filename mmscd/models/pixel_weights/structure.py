"""Weight by agreement of the geometry across frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmscd.models.losses import structure_difference
from mmscd.models.losses.structure_consistency_loss import OCCLUSION
from mmscd.models.outputs import StepOutputs
from mmscd.registry import MODELS


@MODELS.register_module()
class StructureWeight(nn.Module):
    """1 - `structure_difference`, detached (Bian et al., NeurIPS 2019, eq. 7: their mask M).

    Pixels whose depth does not agree across frames, moving things and occlusions among them, count
    less. It shares one extra depth pass, and the map itself, with `StructureConsistencyLoss`.
    Pixels that are not valid, outside of the drawn source or hidden in it, keep the weight 1: the
    photometric loss may still see them in another source, and its minimum over sources deals with
    those it does not.

    Args:
        occlusion: see `structure_difference`; the same value as in the loss, or both compute it.
        minimum: smallest weight.
    """

    def __init__(self, occlusion: float | None = OCCLUSION, minimum: float = 0.0) -> None:
        super().__init__()
        if not 0 <= minimum <= 1:
            raise ValueError(f'minimum must lie in [0, 1], got {minimum}')
        self.occlusion, self.minimum = occlusion, minimum

    def forward(self, outputs: StepOutputs) -> Tensor:
        """(B, 1, H, W) in [minimum, 1], without gradient."""
        difference, valid = structure_difference(outputs, self.occlusion)
        weight = torch.where(valid, 1 - difference.detach(), 1)
        return weight.clamp(min=self.minimum)

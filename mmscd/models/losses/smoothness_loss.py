"""Edge-aware smoothness of the disparity."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES
from mmscd.utils.compiling import run


def smoothness(disp: Tensor, image: Tensor) -> Tensor:
    """Mean of |d/dx d*| exp(-|d/dx I|) plus the same for y; d* = disparity / its mean.

    Args:
        disp: (B, 1, h, w), > 0.
        image: (B, 3, h, w) in [0, 1].

    Returns:
        A scalar (Godard et al., 2019, eq. 3; the mean normalisation is by Wang et al., 2018).
    """
    disp = disp / (disp.mean((2, 3), keepdim=True) + 1e-7)
    total = disp.new_zeros(())
    for dim in (2, 3):
        disp_step = disp.diff(dim=dim).abs()
        image_step = image.diff(dim=dim).abs().mean(1, keepdim=True)
        total = total + (disp_step * (-image_step).exp()).mean()
    return total


@LOSSES.register_module()
class SmoothnessLoss(nn.Module):
    """Mean over scales of the smoothness of scale k divided by 2^k.

    Reads from `outputs`: `disps`, `target`.

    Args:
        loss_weight: factor of the loss.
    """

    def __init__(self, loss_weight: float = 1e-3) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        total = run('losses' in outputs.compiled, _over_scales, outputs.disps, outputs.target)
        return self.loss_weight * total / len(outputs.disps)


def _over_scales(disps: Sequence[Tensor], target: Tensor) -> Tensor:
    total = target.new_zeros(())
    for disp in disps:
        scale = target.shape[-1] / disp.shape[-1]
        image = target if scale == 1 else F.interpolate(target, disp.shape[-2:], mode='area')
        total = total + smoothness(disp, image) / scale
    return total

"""A loss of one's own: second-order smoothness, for which a slanted road is smooth too."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES


@LOSSES.register_module()
class SecondOrderSmoothnessLoss(nn.Module):
    """Mean of |d2/dx2 d*| exp(-|d/dx I|) and the same for y; d* = disparity / its mean.

    Inverse depth is linear along the image of a plane, so planes of any slant cost nothing.
    Reads from `outputs`: `disps`, `target`.

    Args:
        loss_weight: factor of the loss.
    """

    def __init__(self, loss_weight: float = 1e-3) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        disp, target = outputs.disps[0], outputs.target
        disp = disp / disp.mean((2, 3), keepdim=True)
        image = F.interpolate(target, disp.shape[-2:], mode='area')
        total = disp.new_zeros(())
        for dim in (2, 3):
            bend = disp.diff(n=2, dim=dim).abs()
            step = image.diff(dim=dim).abs().mean(1, keepdim=True)
            # the larger of the two steps that a second difference spans
            length = bend.shape[dim]
            edge = step.narrow(dim, 0, length).maximum(step.narrow(dim, 1, length))
            total = total + (bend * (-edge).exp()).mean()
        # few numbers, and no name with `loss` in it: mmengine would add it to the total
        outputs.notes['bend'] = total.detach()
        return self.loss_weight * total

"""A loss that needs geometry: surface normals of neighbouring pixels agree."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.geometry import backproject, disp_to_depth
from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES


@LOSSES.register_module()
class NormalConsistencyLoss(nn.Module):
    """1 - cosine of the normals of neighbouring pixels, less where the image has an edge.

    Args:
        loss_weight: factor of the loss.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        target = outputs.target
        disp = F.interpolate(outputs.disps[0], target.shape[-2:], mode='bilinear')
        points = backproject(disp_to_depth(disp, *outputs.depth_range), outputs.inv_K)
        right, down = points[..., :-1, 1:] - points[..., :-1, :-1], points.diff(dim=2)[..., :-1]
        normals = F.normalize(right.cross(down, dim=1), dim=1)
        total = disp.new_zeros(())
        for dim in (2, 3):
            size = normals.shape[dim] - 1
            pair = normals.narrow(dim, 0, size), normals.narrow(dim, 1, size)
            step = target[..., :-1, :-1].diff(dim=dim).abs().mean(1)
            total = total + ((1 - (pair[0] * pair[1]).sum(1)) * (-10 * step).exp()).mean()
        return self.loss_weight * total

"""View synthesis: minimum reprojection with auto-masking, all scales at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.geometry import disp_to_depth
from mmscd.models.outputs import StepOutputs
from mmscd.ops import still_error, warped_error
from mmscd.registry import LOSSES
from mmscd.utils.compiling import run

from .shared import masked_mean, product_of_weights


def upsample_disps(disps: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Disparities (B, 1, h_k, w_k) of n scales as one map (B, n, H, W), bilinear, half-pixel."""
    size = (height, width)
    full = [d if d.shape[-2:] == size else F.interpolate(d, size, mode='bilinear') for d in disps]
    return torch.cat(full, 1)


def error_of_disps(
    outputs: StepOutputs,
    disps: Sequence[Tensor],
    identity: Tensor | None = None,
    alpha: float = 0.85,
) -> tuple[Tensor, Tensor]:
    """`ops.warped_error` of the sources, warped by the depth of n disparities of the target, and
    the auto-mask, (B, n, H, W) both."""
    disp = upsample_disps(disps, *outputs.target.shape[-2:])
    depth = disp_to_depth(disp, *outputs.depth_range)
    camera = outputs.T_source_target, outputs.K, outputs.inv_K
    against = outputs.target, identity, alpha
    return warped_error(outputs.sources, depth, *camera, *against, outputs.kernels)


def identity_error(outputs: StepOutputs, alpha: float = 0.85) -> Tensor:
    """Smallest photometric error of the un-warped sources, (B, 1, H, W); made once per step.

    No parameter changes it, so all who judge the same frames share it.
    """
    target, sources = outputs.target, outputs.sources
    given = sources, target, alpha, outputs.kernels
    compute = partial(run, 'losses' in outputs.compiled, still_error, *given)
    return outputs.once(f'identity_error_{alpha}', (target, sources), compute)


@LOSSES.register_module()
class PhotometricLoss(nn.Module):
    """Mean over scales and pixels of the minimum reprojection error (Godard et al., 2019, eq. 4-6).

    Reads from `outputs`: `disps`, `target`, `sources`, `T_source_target`, `K`, `inv_K`,
    `depth_range`, and `pixel_weights` where there are any: then the mean over the pixels of a
    sample is weighted by their product. Notes `auto_mask_share`, the share of pixels that take part
    at the finest scale.

    Args:
        alpha: weight of SSIM in the error.
        auto_mask: whether un-warped sources compete.
        scales: which of `disps` are judged, by their place in the list; None means all.
        loss_weight: factor of the loss.
    """

    def __init__(
        self,
        alpha: float = 0.85,
        auto_mask: bool = True,
        scales: Sequence[int] | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if scales is not None and len(scales) == 0:
            raise ValueError('scales must name at least one scale, or be None for all')
        self.alpha, self.auto_mask = alpha, auto_mask
        self.scales, self.loss_weight = scales, loss_weight

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        identity = identity_error(outputs, self.alpha) if self.auto_mask else None
        compare, compiled = type(self)._compare, 'losses' in outputs.compiled
        mean, outputs.notes['auto_mask_share'] = run(compiled, compare, self, outputs, identity)
        return self.loss_weight * mean

    def _compare(self, outputs: StepOutputs, identity: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean of the error, and the share of pixels that take part."""
        disps = outputs.disps
        if self.scales is not None:
            disps = [disps[k] for k in self.scales]
        error, auto_mask = error_of_disps(outputs, disps, identity, self.alpha)
        weight = product_of_weights(outputs)
        mean = error.mean() if weight is None else masked_mean(error, weight)
        return mean, auto_mask[:, 0].float().mean()

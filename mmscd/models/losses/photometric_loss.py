"""View synthesis: minimum reprojection with auto-masking, all scales at full resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.geometry import disp_to_depth, normalise_pixels, pixel_grid, sample_views
from mmscd.models.outputs import StepOutputs
from mmscd.ops.photometric import photometric_error
from mmscd.registry import LOSSES

from .shared import masked_mean, product_of_weights


def upsample_disps(disps: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Disparities (B, 1, h_k, w_k) of n scales as one map (B, n, H, W), bilinear, half-pixel."""
    size = (height, width)
    full = [d if d.shape[-2:] == size else F.interpolate(d, size, mode='bilinear') for d in disps]
    return torch.cat(full, 1)


def synthesise_views(
    sources: Tensor, depth: Tensor, T_source_target: Tensor, K: Tensor, inv_K: Tensor
) -> Tensor:
    """Every source warped into the target by every depth map, in one `grid_sample`.

    The same as `geometry.proj` source by source and scale by scale: rays through the pixels are
    rotated once for all depth maps, and the maps lie under each other in one sampling grid.

    Args:
        sources: (B, S, 3, H, W).
        depth: (B, n, H, W), n depth maps of the target, metres.
        T_source_target: (B, S, 4, 4).
        K: (B, 3, 3), pixels.
        inv_K: (B, 3, 3).

    Returns:
        (B, S, 3, n, H, W). Errors are those of `geometry.sample_views`.
    """
    batch, count, channels, height, width = sources.shape
    scales = depth.shape[1]
    P = K[:, None] @ T_source_target[:, :, :3]
    rays = P[..., :3] @ (inv_K @ pixel_grid(height, width, depth))[:, None]
    points = rays.reshape(batch, count, 3, 1, -1) * depth.reshape(batch, 1, 1, scales, -1)
    points = points + P[..., 3, None, None]
    pixels = points[:, :, :2] / points[:, :, 2:].clamp(min=1e-7)
    pixels = pixels.reshape(batch * count, 2, scales * height, width)
    grid = normalise_pixels(pixels, height, width)
    warped = sample_views(sources.flatten(0, 1), grid)
    return warped.reshape(batch, count, channels, scales, height, width)


def views_of_disps(outputs: StepOutputs, disps: Sequence[Tensor]) -> Tensor:
    """Every source warped by the depth of n disparities of the target, (B, S, 3, n, H, W)."""
    disp = upsample_disps(disps, *outputs.target.shape[-2:])
    depth, T = disp_to_depth(disp, *outputs.depth_range), outputs.T_source_target
    return synthesise_views(outputs.sources, depth, T, outputs.K, outputs.inv_K)


def minimum_reprojection(
    warped_error: Tensor, identity_error: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Smallest of the errors (B, S, n, H, W) over the sources, (B, n, H, W), and the auto-mask.

    The mask, bool (B, n, H, W), is True where warping a source beats every un-warped source, whose
    errors are (B, S, 1, H, W); None: no mask. Where it is False the error is that of the un-warped
    sources, which no parameter changes; a tie counts as False: a static frame is masked entirely.
    """
    error = warped_error.amin(1) if warped_error.shape[1] == 1 else warped_error.min(1).values
    if identity_error is None:
        return error, torch.ones_like(error, dtype=torch.bool)
    identity = identity_error.amin(1)
    auto_mask = error < identity
    return torch.where(auto_mask, error, identity), auto_mask


def identity_error(outputs: StepOutputs, alpha: float = 0.85) -> Tensor:
    """Photometric error of the un-warped sources, (B, S, 1, H, W); made once per step.

    No parameter changes it, so all who judge the same frames share it.
    """

    def compute() -> Tensor:
        with torch.no_grad():
            return photometric_error(sources[:, :, :, None], target, alpha)

    target, sources = outputs.target, outputs.sources
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
        disps = outputs.disps
        if self.scales is not None:
            disps = [disps[k] for k in self.scales]
        error = photometric_error(views_of_disps(outputs, disps), outputs.target, self.alpha)
        identity = identity_error(outputs, self.alpha) if self.auto_mask else None
        error, auto_mask = minimum_reprojection(error, identity)
        outputs.notes['auto_mask_share'] = auto_mask[:, 0].float().mean()
        weight = product_of_weights(outputs)
        mean = error.mean() if weight is None else masked_mean(error, weight)
        return self.loss_weight * mean

"""Cross-frame geometry: the depth of two views must be one scene."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmscd.geometry import disp_to_depth, proj
from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES
from mmscd.utils.compiling import run
from mmscd.utils.keyed_random import uniform

from .photometric_loss import upsample_disps
from .shared import masked_mean, sample_median

OCCLUSION = 0.2


class StructureDifference(NamedTuple):
    """`difference` (B, 1, H, W) in [0, 1), 0 where not valid; `valid` (B, 1, H, W), bool."""

    difference: Tensor
    valid: Tensor


def signed_difference(inv_warped: Tensor, projected: Tensor) -> Tensor:
    """(D_projected - D_warped) / (D_projected + D_warped), in [-1, 1), from inverse depth and
    depth.

    The relative difference of two depths is that of their inverses with the opposite sign, so it is
    computed from the warped *inverse* depth (> 0), sampled where the target's points fall: bilinear
    sampling of inverse depth is exact on planes of any slant, that of depth is not. Positive where
    the point, of depth `projected` >= 0 in the source camera, lies behind the source's surface.
    """
    ratio = inv_warped * projected
    return (ratio - 1) / (ratio + 1)


def source_inverse_depth(outputs: StepOutputs) -> tuple[Tensor, Tensor]:
    """Index, int64 (B,), of one source of every sample, drawn from its `draw_key`, and what the
    network says about it, inverse depth (B, 1, H, W). The pass runs without gradient, once per step
    whoever asks."""

    def compute() -> tuple[Tensor, Tensor]:
        sources = outputs.sources
        index, chosen = run('losses' in outputs.compiled, _choose, sources, outputs.draw_key)
        with torch.no_grad():
            disps = outputs.rerun(chosen, 'source')
            disp = upsample_disps(disps[:1], *sources.shape[-2:])
            return index, 1 / disp_to_depth(disp, *outputs.depth_range)

    inputs = outputs.sources, outputs.draw_key, outputs.rerun
    return outputs.once('source_inverse_depth', inputs, compute)


def _choose(sources: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    draw = uniform(key, 'structure_source')[:, 0]
    index = (draw * sources.shape[1]).long()
    return index, sources[torch.arange(len(index), device=index.device), index]


def structure_difference(
    outputs: StepOutputs, occlusion: float | None = OCCLUSION
) -> StructureDifference:
    """|D_warped - D_projected| / (D_warped + D_projected) against one random source per sample.

    D_projected is the depth that the target's points have in the source camera, D_warped what the
    network says about the source there (Bian et al., "Unsupervised scale-consistent depth and
    ego-motion learning from monocular video", NeurIPS 2019, eq. 3). Gradients reach the target's
    disparity and the pose, not the source's depth. Made once per step and kept in `outputs`.

    Args:
        outputs: read are also `disps`, `T_source_target`, `K`, `inv_K`.
        occlusion: points that lie behind the source's surface by more than this signed difference,
            counted from the median of the sample, are hidden in the source and not valid. 0.2 is a
            depth ratio of 1.5: two views of one surface agree better than that wherever the network
            works at all (88 % of pixels lie within a ratio of 1.25 of the *truth* with the baseline
            recipe), while what a car or a pole hides on a street is mostly further behind. From the
            median, because a wrong scale between the views shifts all pixels: that is what the loss
            is there to mend, not occlusion. None: no test.
    """

    index, inv_source = source_inverse_depth(outputs)
    given = outputs, index, inv_source, occlusion
    compute = partial(run, 'losses' in outputs.compiled, _difference, *given)
    inputs = outputs.disps[0], outputs.T_source_target, inv_source
    return outputs.once(f'structure_difference_{occlusion}', inputs, compute)


def _difference(
    outputs: StepOutputs, index: Tensor, inv_source: Tensor, occlusion: float | None
) -> StructureDifference:
    disp = upsample_disps(outputs.disps[:1], *inv_source.shape[-2:])
    depth = disp_to_depth(disp, *outputs.depth_range)
    rows = torch.arange(len(index), device=index.device)
    T = outputs.T_source_target[rows, index]
    warped, z, valid = proj(inv_source, depth, T, outputs.K, outputs.inv_K)
    signed = signed_difference(warped, z.clamp(min=0))
    if occlusion is not None:
        median = sample_median(signed, valid)[:, None, None, None]
        valid = valid & (signed.detach() - median <= occlusion)
    return StructureDifference(torch.where(valid, signed.abs(), 0), valid)


@LOSSES.register_module()
class StructureConsistencyLoss(nn.Module):
    """Mean of `structure_difference` over the valid pixels of each sample, then over samples.

    Notes `structure_valid`, the share of valid pixels.

    Args:
        occlusion: see `structure_difference`.
        weights: names of `model.pixel_weights` whose product weighs the pixels, e.g. one that takes
            out moving objects, which are not one scene in both views. A weight made from this very
            difference does not belong here.
        loss_weight: factor of the loss.
    """

    def __init__(
        self,
        occlusion: float | None = OCCLUSION,
        weights: Sequence[str] = (),
        loss_weight: float = 0.1,
    ) -> None:
        super().__init__()
        if isinstance(weights, str):
            raise TypeError(f'weights must be a sequence of names, got the string {weights!r}')
        self.occlusion, self.loss_weight = occlusion, loss_weight
        self.weights = tuple(weights)

    @property
    def needs(self) -> tuple[str, ...]:
        """The weights that it names."""
        return tuple(f'pixel_weights.{name}' for name in self.weights)

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar.

        Raises:
            KeyError: a weight that the model does not have.
        """
        difference, valid = structure_difference(outputs, self.occlusion)
        outputs.notes['structure_valid'] = valid.float().mean()
        weight, known = valid.to(difference.dtype), outputs.pixel_weights
        for name in self.weights:
            if name not in known:
                raise KeyError(
                    f'StructureConsistencyLoss.weights names {name!r}, model.pixel_weights has '
                    f'{sorted(known)}'
                )
            weight = weight * known[name]
        return self.loss_weight * masked_mean(difference, weight)

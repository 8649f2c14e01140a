"""Local texture disambiguation: depth must not follow texture that is missing or misleading."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mmscd.geometry import disp_to_depth
from mmscd.registry import LOSSES, MODELS

from .shared import sample_median


def log_depth_difference(depth: Tensor, reference: Tensor) -> Tensor:
    """|log depth - log reference|, each centred on its median, mean over pixels and samples.

    Args:
        depth: (B, 1, h, w), > 0, any scale per sample. Gradients flow to it, its median is a
            constant to them (see `sample_median`).
        reference: same shape; no gradient flows to it.

    Returns:
        A scalar.
    """
    difference = 0
    for sign, value in ((1, depth), (-1, reference.detach())):
        logarithm = value.log()
        centre = sample_median(logarithm).reshape(-1, 1, 1, 1)
        difference = difference + sign * (logarithm - centre)
    return difference.abs().mean()


@LOSSES.register_module()
class TextureDisambiguationLoss(nn.Module):
    """Depth of a target with perturbed texture agrees with its clean depth, and explains the views.

    The clean target is perturbed (I+) and the same network gives D+. The loss is
    consistency_weight |log D+ - stopgrad(log D)|, median-centred, plus photometric_weight times the
    photometric loss of D+ at its finest scale, which compares *clean* frames: D+ has to explain the
    scene and not the perturbation. The stop-gradient keeps the clean depth from moving towards the
    perturbed one. Poses come from clean frames and are detached: what the views disagree in under
    D+ are the errors of a network that was misled on purpose, no evidence about the motion.

    Reads `target`, `draw_key`, `estimate_disps`, `disps` and what `PhotometricLoss` reads, pixel
    weights included. Writes `outputs['perturbed']` (what the perturbation returns, for tools) and
    the diagnostics `texture_consistency` (un-weighted) and `texture_share` (perturbed pixels).

    Args:
        perturbation: config of a component `(image, draw_key) -> PerturbedTexture`.
        consistency_weight: of the agreement with the clean depth.
        photometric_weight: of the photometric part; 0 leaves it out.
        photometric: config of the photometric loss.
        loss_weight: factor of both.
    """

    def __init__(
        self,
        perturbation: dict | None = None,
        consistency_weight: float = 1.0,
        photometric_weight: float = 1.0,
        photometric: dict | None = None,
        loss_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.perturbation = MODELS.build(perturbation or dict(type='RetinexTexturePerturbation'))
        self.photometric = LOSSES.build(photometric or dict(type='PhotometricLoss'))
        self.consistency_weight = consistency_weight
        self.photometric_weight = photometric_weight
        self.loss_weight = loss_weight

    def forward(self, outputs: dict[str, Any]) -> Tensor:
        """The loss, a scalar."""
        perturbed = self.perturbation(outputs['target'], outputs['draw_key'])
        outputs['perturbed'] = perturbed
        disp = outputs['estimate_disps'](perturbed.image, 'perturbed')[0]
        consistency = log_depth_difference(
            disp_to_depth(disp, *outputs['depth_range']),
            disp_to_depth(outputs['disps'][0].detach(), *outputs['depth_range']),
        )
        total = self.consistency_weight * consistency
        if self.photometric_weight:
            # a copy: diagnostics of the clean pass keep their values
            seen = dict(
                outputs,
                disps=[disp],
                T_source_target=outputs['T_source_target'].detach(),
                diagnostics={},
            )
            total = total + self.photometric_weight * self.photometric(seen)
        diagnostics = outputs['diagnostics']
        diagnostics['texture_consistency'] = consistency.detach()
        diagnostics['texture_share'] = (perturbed.mask > 0).float().mean()
        return self.loss_weight * total

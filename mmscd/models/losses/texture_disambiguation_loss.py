"""Local texture disambiguation: depth must not follow texture that is missing or misleading."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from mmscd.geometry import disp_to_depth
from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES, MODELS
from mmscd.utils.compiling import run

from .shared import sample_median


def relative_difference(inv_depth: Tensor, reference: Tensor, floor: float = 1.0) -> Tensor:
    """|log(v + floor) - log(v_reference + floor)|, mean over pixels and samples.

    v is the inverse depth over its median in the sample, so the scale per sample does not matter.
    What is near is compared by its logarithm, what is much farther than 1 / floor medians by its
    inverse depth, which is what view synthesis can tell apart. A plain logarithm (floor 0) weighs
    far things as heavily as near ones. That goes wrong: perturbed images give flatter depth, what
    steepens it steepens the clean depth too (the weights are the same), and where view synthesis
    does not object the depth goes to infinity, which agrees with itself under any perturbation.

    `inv_depth` (B, 1, h, w) > 0 has any scale per sample; gradients flow to it, its median is a
    constant to them (see `sample_median`). None flow to `reference`. `floor` >= 0, in medians.
    """

    def bounded_log(value: Tensor) -> Tensor:
        centre = sample_median(value).reshape(-1, 1, 1, 1)
        return (value / centre + floor).log()

    return (bounded_log(inv_depth) - bounded_log(reference.detach())).abs().mean()


def _consistency(
    disp: Tensor, reference: Tensor, depth_range: tuple[float, float], floor: float
) -> Tensor:
    inverse, wanted = (1 / disp_to_depth(d, *depth_range) for d in (disp, reference))
    return relative_difference(inverse, wanted, floor)


@LOSSES.register_module()
class TextureDisambiguationLoss(nn.Module):
    """Depth of a target with perturbed texture agrees with its clean depth, and explains the views.

    The clean target is perturbed (I+) and the same network gives D+. The loss is
    consistency_weight |log D+ - stopgrad(log D)|, median-centred and bounded for what is far (see
    `relative_difference`), plus photometric_weight times the photometric loss of D+ at its finest
    scale, which compares *clean* frames: D+ has to explain the scene and not the perturbation. The
    stop-gradient keeps the clean depth from moving towards the perturbed one. Poses come from clean
    frames and are detached: what the views disagree in under D+ are the errors of a network that
    was misled on purpose, no evidence about the motion.

    The agreement is weighed low: view synthesis must be able to hold what it pulls.

    Reads `target`, `draw_key`, `rerun`, `disps` and what `PhotometricLoss` reads, pixel weights
    included. Makes the pass `perturbed` and writes `outputs.perturbed` (what the perturbation
    returns, for tools). Notes `texture_consistency` (un-weighted) and `texture_share` (perturbed
    pixels).

    Args:
        perturbation: config of a component `(image, draw_key) -> PerturbedTexture`.
        consistency_weight: of the agreement with the clean depth.
        photometric_weight: of the photometric part; 0 leaves it out.
        photometric: config of the photometric loss.
        floor: see `relative_difference`.
        samples: share of the batch that is perturbed, in (0, 1], at least one image: its first
            ones (a sampler shuffles). Half of them costs half of the pass.
        loss_weight: factor of both.

    Raises:
        ValueError: `samples` is out of range.
    """

    makes = ('perturbed',)

    def __init__(
        self,
        perturbation: dict | None = None,
        consistency_weight: float = 0.03,
        photometric_weight: float = 0.5,
        photometric: dict | None = None,
        floor: float = 1.0,
        samples: float = 1.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 < samples <= 1:
            raise ValueError(f'samples is a share of the batch in (0, 1], got {samples}')
        self.perturbation = MODELS.build(perturbation or dict(type='RetinexTexturePerturbation'))
        self.photometric = LOSSES.build(photometric or dict(type='PhotometricLoss'))
        self.consistency_weight = consistency_weight
        self.photometric_weight = photometric_weight
        self.floor, self.samples, self.loss_weight = floor, samples, loss_weight

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        seen = outputs.first(max(1, round(self.samples * len(outputs.target))))
        compiled, given = 'losses' in outputs.compiled, (seen.target, seen.draw_key)
        outputs.perturbed = perturbed = run(compiled, self.perturbation, *given)
        disp = outputs.rerun(perturbed.image, 'perturbed')[0]
        depths = (disp, seen.disps[0].detach(), outputs.depth_range)
        consistency = run(compiled, _consistency, *depths, self.floor)
        total = self.consistency_weight * consistency
        if self.photometric_weight:
            still = replace(seen, disps=[disp], T_source_target=seen.T_source_target.detach())
            total = total + self.photometric_weight * self.photometric(still)
        outputs.notes['texture_consistency'] = consistency.detach()
        outputs.notes['texture_share'] = (perturbed.mask > 0).float().mean()
        return self.loss_weight * total

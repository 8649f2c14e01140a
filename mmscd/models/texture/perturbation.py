"""Perturbation of texture: the reflectance of an image changes, its illumination does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmscd.registry import MODELS

from .draws import REFERENCE_WIDTH, between, draw_kinds
from .kinds import KINDS, LARGEST_SHARE, Light, check_range, make_kinds
from .retinex import retinex_split, strong_edges


class PerturbedTexture(NamedTuple):
    """Maps (B, C, H, W) without gradient.

    `image` (C 3) in [0, 1]; `mask` (C 1) in [0, 1]: how much of a pixel's reflectance is replaced;
    `illumination` and `new_illumination` (C 1), `reflectance` and `new_reflectance` (C 3): before
    and after.
    """

    image: Tensor
    mask: Tensor
    illumination: Tensor
    new_illumination: Tensor
    reflectance: Tensor
    new_reflectance: Tensor


@MODELS.register_module()
class RetinexTexturePerturbation(nn.Module):
    """Make texture missing or misleading in patches; light and strong edges stay.

    The image is split into illumination L and reflectance R (`retinex_split`). Every sample gets
    its own mix of kinds: texture of R that is missing (`kinds.Missing`) or interferes (`Shuffle`,
    `Blend`), and bumps of L (`Light`). The result is clip(R+ L+). All draws are functions of
    `draw_key`, all work is done for the whole batch on its device. Lengths are given in pixels of
    an image 640 wide and scale with the width; no patch is ever smaller than 8 pixels. What is
    masked are patches and regions: there is no noise, no shuffle of pixels, no global blur and no
    global change of light, contrast or colour, so that no corruption of a robustness benchmark is
    trained on.

    Args:
        kinds: options of `missing`, `shuffle`, `blend` and `light`. One that is not named is as it
            is by default, None drops it: `kinds=dict(missing=dict(lowpass_prob=0), light=None)`
            changes reflectance alone, and fills with no low-pass.
        share: range of the share of the image that the first three cover together, at most 0.6;
            each takes a random part of it. Kept edges count as covered.
        keep_edges: how much of the strong edges of the image stays inside the masks, in [0, 1].
        illumination_sigma: of the low-pass that estimates L.
        **flat: refused; options of earlier versions with the sentence that says where they belong.

    Raises:
        ValueError: an option has no sense.
        TypeError: an option is unknown.
    """

    def __init__(
        self,
        kinds: Mapping[str, Mapping[str, Any] | None] | None = None,
        share: tuple[float, float] = (0.35, 0.6),
        keep_edges: float = 0.8,
        illumination_sigma: float = 24.0,
        **flat: Any,
    ) -> None:
        super().__init__()
        _refuse(flat)
        check_range('share', share, 0, LARGEST_SHARE)
        check_range('keep_edges', (keep_edges, 1), 0, 1)
        self.kinds = make_kinds(kinds or {})
        self.share, self.keep_edges = share, keep_edges
        self.illumination_sigma = illumination_sigma

    @torch.no_grad()
    def forward(self, image: Tensor, draw_key: Tensor) -> PerturbedTexture:
        """Perturb clean images (B, 3, H, W) in [0, 1]; `draw_key` int64 (B,)."""
        height, width = image.shape[-2:]
        scale = width / REFERENCE_WIDTH
        counts = {n: kind.draw_counts(scale, (height, width)) for n, kind in self.kinds.items()}
        mix, draws = draw_kinds(draw_key, scale, counts)
        with torch.autocast(image.device.type, enabled=False):
            light, clean = retinex_split(image, self.illumination_sigma * scale)
            edges = strong_edges(image, 2 * scale, max(1, round(3 * scale)))
            budgets = self._budgets(mix, height * width)
            texture, mask, new_light = clean, torch.zeros_like(light), light
            for name, kind in self.kinds.items():
                if name == 'light':
                    new_light = light * kind(light, draws[name], budgets[name])
                    continue
                seen = clean if name == 'blend' else texture
                other, where = kind(seen, draws[name], budgets[name])
                where = where * (1 - self.keep_edges * edges)
                texture = torch.lerp(texture, other, where)
                mask = 1 - (1 - mask) * (1 - where)
            new_image = (texture * new_light).clamp_(0, 1)
            # R L is I only up to rounding: what nothing touched stays the same to the bit
            untouched = (mask == 0) & (new_light == light)
            new_image = torch.where(untouched, image, new_image)
        return PerturbedTexture(new_image, mask, light, new_light, clean, texture)

    def _budgets(self, draws: Tensor, pixels: int) -> dict[str, Tensor]:
        """Pixels that each kind may cover, int64 (B,) each; 0 where a sample does not get it;
        `draws` (B, 9)."""
        probs = [self.kinds[name].prob if name in self.kinds else 0.0 for name in KINDS]
        wanted = torch.stack([draws[:, i] < prob for i, prob in enumerate(probs)], 1)
        if probs[0] > 0:
            wanted[:, 0] |= ~wanted[:, :3].any(1)
        parts = (0.25 + draws[:, 4:7]) * wanted[:, :3]
        parts = parts / parts.sum(1, keepdim=True).clamp(min=1e-9)
        shares = parts * between(draws[:, 7:8], self.share)
        bumps = next((k.share for k in self.kinds.values() if isinstance(k, Light)), (0.0, 0.0))
        light = wanted[:, 3:] * between(draws[:, 8:], bumps)
        budgets = (torch.cat([shares, light], 1) * pixels).long().unbind(1)
        return dict(zip(KINDS, budgets, strict=True))


# where the flat options of earlier versions are now
_MOVED = {
    **{f'{k}_prob': f'kinds.{k}.prob' for k in ('missing', 'shuffle', 'blend')},
    **{f'{k}_size': f'kinds.{k}.size' for k in ('missing', 'shuffle', 'blend')},
    **{f'illumination_{o}': f'kinds.light.{o}' for o in ('prob', 'size', 'share', 'gain')},
    **{f'lowpass_fill_{o}': f'kinds.missing.lowpass_{o}' for o in ('prob', 'sigma')},
    **{f'blend_{o}': f'kinds.blend.{o}' for o in ('strength', 'donor')},
    'missing_soft_prob': 'kinds.missing.soft_prob',
    'shuffle_block': 'kinds.shuffle.block',
    'max_rectangles': 'kinds.blend.most and kinds.light.most',
    'strict': 'kinds=dict(missing=dict(lowpass_prob=0), light=None)',
}


def _refuse(flat: Mapping[str, Any]) -> None:
    """Say what has become of options that are not arguments."""
    for name in flat:
        new = _MOVED.get(name)
        said = f'{name} is now {new}' if new else f'there is no option {name}'
        raise TypeError(f'RetinexTexturePerturbation: {said}')

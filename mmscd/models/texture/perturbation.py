"""Perturbation of texture: the reflectance of an image changes, its illumination does not."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmscd.registry import MODELS
from mmscd.utils.keyed_random import uniform

from .kinds import (
    Draws,
    between,
    displaced,
    draw_kinds,
    following,
    missing_texture,
    rectangle_field,
    shuffled_texture,
)
from .retinex import retinex_split, strong_edges

LARGEST_SHARE = 0.6


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
    its own mix of

    - *missing*: cells of a random grid lose their texture: R becomes its mean there, or its
      low-pass;
    - *shuffle* (interfering): patches change places within blocks of a few patches;
    - *blend* (interfering): inside soft-edged rectangles another R shows through, rolled and
      flipped: that of the image itself or of another image of the batch;
    - *illumination*: L becomes brighter or darker in smooth local bumps.

    The result is clip(R+ L+). All draws are functions of `draw_key`, all work is done for the whole
    batch on its device. Lengths are given in pixels of an image 640 wide and scale with the width;
    no patch is ever smaller than 8 pixels. What is masked are patches and regions: there is no
    noise, no shuffle of pixels, no global blur and no global change of light, contrast or colour,
    so that no corruption of a robustness benchmark is trained on.

    Args:
        missing_prob, shuffle_prob, blend_prob, illumination_prob: probability of each kind per
            sample; a sample that would get none of the first three gets *missing*, where that has a
            probability at all.
        share: range of the share of the image that the first three cover together, at most 0.6;
            each takes a random part of it. Kept edges count as covered.
        missing_size: range of the sides of cells, at least 16; drawn for height and width apart.
        missing_soft_prob: probability per sample that its cells have soft edges.
        lowpass_fill_prob: probability per cell that it shows its low-pass instead of its mean.
        lowpass_fill_sigma: of that low-pass.
        shuffle_size: range of the sides of shuffled patches, at least 8.
        shuffle_block: range of the sides of blocks, in patches.
        blend_size: range of the sides of rectangles, at least 16.
        blend_strength: range of how much of the other reflectance shows in their middle.
        blend_donor: `'self'`: a result depends on its own sample alone, so that every layout of
            batches over processes gives the same. `'batch'`: the image whose key is next in size,
            whatever the order in the batch; with a batch of one that is the image itself.
        illumination_share: range of the share of the image that bumps of L cover, at most 0.6.
        illumination_size: range of the sides of bumps, at least 16.
        illumination_gain: L is multiplied by at most this, and by at least one over it.
        keep_edges: how much of the strong edges of the image stays inside the masks, in [0, 1].
        illumination_sigma: of the low-pass that estimates L.
        max_rectangles: of a kind in an image.
        strict: neither low-pass fill nor change of L, whatever their probabilities say.
    """

    def __init__(
        self,
        missing_prob: float = 0.8,
        shuffle_prob: float = 0.5,
        blend_prob: float = 0.5,
        illumination_prob: float = 0.5,
        share: tuple[float, float] = (0.35, 0.6),
        missing_size: tuple[float, float] = (16, 80),
        missing_soft_prob: float = 0.5,
        lowpass_fill_prob: float = 0.3,
        lowpass_fill_sigma: float = 6.0,
        shuffle_size: tuple[float, float] = (16, 32),
        shuffle_block: tuple[int, int] = (2, 4),
        blend_size: tuple[float, float] = (48, 320),
        blend_strength: tuple[float, float] = (0.4, 1.0),
        blend_donor: str = 'self',
        illumination_share: tuple[float, float] = (0.2, 0.6),
        illumination_size: tuple[float, float] = (64, 400),
        illumination_gain: float = 3.0,
        keep_edges: float = 0.8,
        illumination_sigma: float = 24.0,
        max_rectangles: int = 8,
        strict: bool = False,
    ) -> None:
        super().__init__()
        _check_range('share', share, 0, LARGEST_SHARE)
        _check_range('illumination_share', illumination_share, 0, LARGEST_SHARE)
        _check_range('missing_size', missing_size, 16)
        _check_range('shuffle_size', shuffle_size, 8)
        _check_range('shuffle_block', shuffle_block, 1)
        _check_range('blend_size', blend_size, 16)
        _check_range('blend_strength', blend_strength, 0, 1)
        _check_range('illumination_size', illumination_size, 16)
        _check_range('illumination_gain', (1, illumination_gain), 1)
        _check_range('keep_edges', (keep_edges, 1), 0, 1)
        if blend_donor not in ('self', 'batch'):
            raise ValueError(f"blend_donor must be 'self' or 'batch', got {blend_donor!r}")
        if strict:
            lowpass_fill_prob = illumination_prob = 0.0
        self.probabilities = (missing_prob, shuffle_prob, blend_prob, illumination_prob)
        self.share = share
        self.missing = dict(
            size=missing_size,
            soft_prob=missing_soft_prob,
            lowpass_prob=lowpass_fill_prob,
            lowpass_sigma=lowpass_fill_sigma,
        )
        self.shuffle = dict(size=shuffle_size, block=shuffle_block)
        self.blend_size, self.blend_strength = blend_size, blend_strength
        self.blend_donor = blend_donor
        self.illumination_share = illumination_share
        self.illumination_size = illumination_size
        self.illumination_gain = illumination_gain
        self.keep_edges = keep_edges
        self.illumination_sigma = illumination_sigma
        self.max_rectangles = max_rectangles
        rectangles = dict(count=1, rectangles=4 * max_rectangles, softness=max_rectangles)
        self.draw_counts = dict(
            missing=dict(size=2, offset=2, soft=1),
            shuffle=dict(size=2, offset=2),
            blend=dict(strength=max_rectangles, place=4, **rectangles),
            light=dict(height=max_rectangles, **rectangles),
        )

    @torch.no_grad()
    def forward(self, image: Tensor, draw_key: Tensor) -> PerturbedTexture:
        """Perturb a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], clean.
            draw_key: int64 (B,).
        """
        height, width = image.shape[-2:]
        draws = draw_kinds(draw_key, width, self.draw_counts)
        scale = draws['missing'].scale
        with torch.autocast(image.device.type, enabled=False):
            light, clean = retinex_split(image, self.illumination_sigma * scale)
            edges = strong_edges(image, 2 * scale, max(1, round(3 * scale)))
            missing, shuffle, blend, bumps = self._budgets(draw_key, height * width)
            texture, mask = clean, torch.zeros_like(light)
            for change in (
                lambda x: missing_texture(x, draws['missing'], missing, **self.missing),
                lambda x: shuffled_texture(x, draws['shuffle'], shuffle, **self.shuffle),
                lambda x: self._blended_texture(clean, draws['blend'], blend),
            ):
                other, where = change(texture)
                where = where * (1 - self.keep_edges * edges)
                texture = torch.lerp(texture, other, where)
                mask = 1 - (1 - mask) * (1 - where)
            new_light = light * self._light_change(light, draws['light'], bumps)
            new_image = (texture * new_light).clamp_(0, 1)
            # R L is I only up to rounding: what nothing touched stays the same to the bit
            untouched = (mask == 0) & (new_light == light)
            new_image = torch.where(untouched, image, new_image)
        return PerturbedTexture(new_image, mask, light, new_light, clean, texture)

    def _budgets(self, key: Tensor, pixels: int) -> tuple[Tensor, ...]:
        """Pixels that each kind may cover, int64 (B,) each; 0 where a sample does not get it."""
        draws = uniform(key, 'texture_mix', 9)
        wanted = draws[:, :4] < draws.new_tensor(self.probabilities)
        if self.probabilities[0] > 0:
            wanted[:, 0] |= ~wanted[:, :3].any(1)
        parts = (0.25 + draws[:, 4:7]) * wanted[:, :3]
        parts = parts / parts.sum(1, keepdim=True).clamp(min=1e-9)
        shares = parts * between(draws[:, 7:8], self.share)
        light = wanted[:, 3:] * between(draws[:, 8:], self.illumination_share)
        return (torch.cat([shares, light], 1) * pixels).long().unbind(1)

    def _blended_texture(
        self, clean: Tensor, draws: Draws, budget: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Another reflectance (B, 3, H, W), and how much of it shows (B, 1, H, W)."""
        donor = following(clean, draws.key) if self.blend_donor == 'batch' else clean
        strength = between(draws('strength', self.max_rectangles), self.blend_strength)
        shape, softness = clean.shape[-2:], (0.1, 1.0)
        mask = rectangle_field(
            draws, budget, self.blend_size, self.max_rectangles, softness, strength, shape
        )
        return displaced(donor, draws('place', 4)), mask.clamp(max=1).to(clean.dtype)

    def _light_change(self, light: Tensor, draws: Draws, budget: Tensor) -> Tensor:
        """Factor of the illumination, (B, 1, H, W); 1 outside the bumps."""
        if self.probabilities[3] == 0:
            return torch.ones_like(light)
        limit = log(self.illumination_gain)
        heights = between(draws('height', self.max_rectangles), (-limit, limit))
        shape, softness = light.shape[-2:], (0.7, 1.0)
        field = rectangle_field(
            draws, budget, self.illumination_size, self.max_rectangles, softness, heights, shape
        )
        return field.clamp(-limit, limit).exp().to(light.dtype)


def _check_range(name: str, limits: tuple, low: float, high: float = float('inf')) -> None:
    """Refuse a range (first, last) that does not lie within [low, high]."""
    if len(limits) != 2 or not low <= limits[0] <= limits[1] <= high:
        raise ValueError(
            f'RetinexTexturePerturbation: {name} must be an ascending range within '
            f'[{low}, {high}], got {limits}'
        )

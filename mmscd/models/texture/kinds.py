"""The kinds of perturbation, each a pure function of a reflectance map and of drawn numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmscd.utils.names import check_names

from .draws import Draws, between, lengths_in_pixels, rectangle_counts, rectangle_field
from .regions import (
    Cells,
    block_shuffle,
    cell_grid,
    grid_shape,
    keep_within,
    log_uniform_size,
)
from .retinex import DARKEST, gaussian_lowpass

LARGEST_SHARE = 0.6


@dataclass(frozen=True)
class Missing:
    """Cells of a random grid lose their texture: R becomes its mean there, or its low-pass.

    Args:
        prob: per sample; where it is above 0, a sample that gets no other texture gets this one.
        size: range of the sides of cells, at least 16; drawn for height and width apart.
        soft_prob: per sample, that its cells have soft edges.
        lowpass_prob: per cell, that it shows its low-pass instead of its mean.
        lowpass_sigma: of that low-pass.
    """

    prob: float = 0.8
    size: tuple[float, float] = (16, 80)
    soft_prob: float = 0.5
    lowpass_prob: float = 0.3
    lowpass_sigma: float = 6.0

    def __post_init__(self) -> None:
        check_range('kinds.missing.size', self.size, 16)

    def draw_counts(self, scale: float, shape: tuple[int, int]) -> dict[str, int]:
        """How many numbers are drawn of each name, for images of `shape`."""
        cells = math.prod(grid_shape(lengths_in_pixels(self.size, scale)[0], shape))
        lowpass = dict(lowpass=cells) if self.lowpass_prob > 0 else {}
        return dict(size=2, offset=2, soft=1, order=cells, **lowpass)

    def __call__(self, texture: Tensor, draws: Draws, budget: Tensor) -> tuple[Tensor, Tensor]:
        """The fill (B, 3, H, W) of a reflectance (B, 3, H, W), and in [0, 1] where it shows
        (B, 1, H, W); its cells cover at most `budget` pixels, int64 (B,)."""
        shape = texture.shape[-2:]
        low, high = draws.pixels(self.size)
        tall, wide = log_uniform_size(draws('size'), low, high).unbind(1)
        sizes = tall.clamp(max=max(low, shape[0] // 2)), wide.clamp(max=max(low, shape[1] // 2))
        grid = cell_grid(sizes, draws('offset').unbind(1), shape, low)
        chosen = keep_within(grid.area().flatten(1), budget, draws('order'))
        mask = grid.spread(chosen.reshape(-1, 1, *grid.shape).to(texture.dtype))
        soft = (draws('soft') < self.soft_prob)[..., None, None]
        mask = torch.where(soft, soften(mask, low // 2), mask)
        fill = grid.spread(mean_texture(grid, texture))
        if self.lowpass_prob > 0:
            smooth = gaussian_lowpass(texture, self.lowpass_sigma * draws.scale)
            where = (draws('lowpass') < self.lowpass_prob).reshape(-1, 1, *grid.shape)
            fill = torch.where(grid.spread(where), smooth, fill)
        return fill, mask


@dataclass(frozen=True)
class Shuffle:
    """Square patches change places within blocks of a few patches.

    Args:
        prob: per sample.
        size: range of the sides of patches, at least 8.
        block: range of the sides of blocks, in patches.
    """

    prob: float = 0.5
    size: tuple[float, float] = (16, 32)
    block: tuple[int, int] = (2, 4)

    def __post_init__(self) -> None:
        check_range('kinds.shuffle.size', self.size, 8)
        check_range('kinds.shuffle.block', self.block, 1)

    def draw_counts(self, scale: float, shape: tuple[int, int]) -> dict[str, int]:
        """As `Missing`."""
        patches = math.prod(grid_shape(lengths_in_pixels(self.size, scale)[0], shape))
        return dict(size=2, offset=2, order=2 * patches)

    def __call__(self, texture: Tensor, draws: Draws, budget: Tensor) -> tuple[Tensor, Tensor]:
        """As `Missing`."""
        shape = texture.shape[-2:]
        low, high = draws.pixels(self.size)
        sizes = draws('size')
        grid = grid_shape(low, shape)
        index, mask = block_shuffle(
            log_uniform_size(sizes[:, 0], low, high),
            draws('offset'),
            log_uniform_size(sizes[:, 1], *self.block),
            draws('order').reshape(-1, 2, *grid),
            budget,
            shape,
        )
        moved = texture.flatten(2).gather(2, index[:, None].expand(-1, texture.shape[1], -1))
        return moved.reshape(texture.shape), mask.to(texture.dtype)


@dataclass(frozen=True)
class Blend:
    """Inside soft-edged rectangles another reflectance shows through, rolled and flipped.

    Args:
        prob: per sample.
        size: range of the sides of rectangles, at least 16.
        strength: range of how much of the other reflectance shows in their middle.
        donor: `'self'`: a result depends on its own sample alone, so that every layout of batches
            over processes gives the same. `'batch'`: the image whose key is next in size, whatever
            the order in the batch; with a batch of one that is the image itself.
        most: rectangles in an image.
    """

    prob: float = 0.5
    size: tuple[float, float] = (48, 320)
    strength: tuple[float, float] = (0.4, 1.0)
    donor: str = 'self'
    most: int = 8

    def __post_init__(self) -> None:
        check_range('kinds.blend.size', self.size, 16)
        check_range('kinds.blend.strength', self.strength, 0, 1)
        if self.donor not in ('self', 'batch'):
            raise ValueError(f"kinds.blend.donor must be 'self' or 'batch', got {self.donor!r}")

    def draw_counts(self, scale: float, shape: tuple[int, int]) -> dict[str, int]:
        """As `Missing`."""
        return dict(strength=self.most, place=4, **rectangle_counts(self.most))

    def __call__(self, clean: Tensor, draws: Draws, budget: Tensor) -> tuple[Tensor, Tensor]:
        """As `Missing`, of the reflectance that nothing has changed yet."""
        donor = following(clean, draws.key) if self.donor == 'batch' else clean
        strength = between(draws('strength'), self.strength)
        shape, softness = clean.shape[-2:], (0.1, 1.0)
        mask = rectangle_field(draws, budget, self.size, self.most, softness, strength, shape)
        return displaced(donor, draws('place')), mask.clamp(max=1).to(clean.dtype)


@dataclass(frozen=True)
class Light:
    """The illumination becomes brighter or darker in smooth local bumps.

    Args:
        prob: per sample.
        size: range of the sides of bumps, at least 16.
        share: range of the share of the image that they cover, at most 0.6.
        gain: the illumination is multiplied by at most this, and by at least one over it.
        most: bumps in an image.
    """

    prob: float = 0.5
    size: tuple[float, float] = (64, 400)
    share: tuple[float, float] = (0.2, 0.6)
    gain: float = 3.0
    most: int = 8

    def __post_init__(self) -> None:
        check_range('kinds.light.size', self.size, 16)
        check_range('kinds.light.share', self.share, 0, LARGEST_SHARE)
        check_range('kinds.light.gain', (1, self.gain), 1)

    def draw_counts(self, scale: float, shape: tuple[int, int]) -> dict[str, int]:
        """As `Missing`."""
        return dict(height=self.most, **rectangle_counts(self.most))

    def __call__(self, light: Tensor, draws: Draws, budget: Tensor) -> Tensor:
        """Factor of the illumination, (B, 1, H, W); 1 outside the bumps."""
        limit = math.log(self.gain)
        heights = between(draws('height'), (-limit, limit))
        shape, softness = light.shape[-2:], (0.7, 1.0)
        field = rectangle_field(draws, budget, self.size, self.most, softness, heights, shape)
        return field.clamp(-limit, limit).exp().to(light.dtype)


KINDS = dict(missing=Missing, shuffle=Shuffle, blend=Blend, light=Light)
Kind = Missing | Shuffle | Blend | Light


def make_kinds(configs: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Kind]:
    """Kinds by name, in their order; one that is not named is as it is by default, None drops it.
    What is unknown or has no sense is refused."""
    check_names('kind of texture perturbation', configs, KINDS)
    made = {}
    for name, kind in KINDS.items():
        options = configs.get(name, {})
        if options is not None:
            check_names(f'option of kinds.{name}', options, [f.name for f in fields(kind)])
            made[name] = kind(**options)
    return made


def check_range(name: str, limits: tuple, low: float, high: float = math.inf) -> None:
    """Refuse a range (first, last) that does not lie within [low, high], by the option's name."""
    if len(limits) != 2 or not low <= limits[0] <= limits[1] <= high:
        raise ValueError(
            f'RetinexTexturePerturbation: {name} must be an ascending range within '
            f'[{low}, {high}], got {limits}'
        )


def soften(mask: Tensor, width: int) -> Tensor:
    """Soft edges inside a mask of 0 and 1; `width` pixels wide."""
    kernel = 2 * (width // 2) + 1
    share = F.avg_pool2d(mask, kernel, 1, kernel // 2, count_include_pad=False)
    # outside of a concave corner more than half of a window may be masked
    return (2 * share - 1).clamp(min=0) * mask


def mean_texture(grid: Cells, texture: Tensor) -> Tensor:
    """Mean colour of every cell of a reflectance (B, 3, H, W), (B, 3, *grid.shape), scaled so that
    the cell keeps its mean of log max_c R. The illumination of an image is the low-pass of exactly
    that quantity, so a cell that is filled with this colour keeps its illumination."""
    brightest = texture.amax(1, keepdim=True).clamp(min=DARKEST)
    means = grid.mean(torch.cat([texture, brightest.log()], 1))
    colour = means[:, :3]
    return colour * (means[:, 3:].exp() / colour.amax(1, keepdim=True).clamp(min=DARKEST))


def displaced(image: Tensor, draws: Tensor) -> Tensor:
    """Every image rolled along both axes by 1/8 to 7/8 of the side, so that it never covers itself,
    and flipped where the draw says so; `draws` (B, 4): vertical roll and flip, horizontal roll and
    flip."""
    for axis in (2, 3):
        roll, flip = draws[:, 2 * axis - 4 : 2 * axis - 2].split(1, 1)
        length = image.shape[axis]
        place = torch.arange(length, device=image.device)
        index = (place + (between(roll, (0.125, 0.875)) * length).long()) % length
        index = torch.where(flip < 0.5, index, length - 1 - index)
        index = index[:, None, :, None] if axis == 2 else index[:, None, None]
        image = image.gather(axis, index.expand(image.shape))
    return image


def following(image: Tensor, key: Tensor) -> Tensor:
    """For every image of the batch the one whose key is next in size; the order in the batch does
    not matter."""
    order = key.argsort()
    return image[order.roll(-1)[order.argsort()]]

"""The kinds of perturbation, each a pure function of a reflectance map and of drawn numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from mmscd.utils.keyed_random import uniform, uniform_many

from .regions import (
    Cells,
    block_shuffle,
    cell_grid,
    draw_rectangles,
    keep_within,
    log_uniform_size,
    place_rectangles,
)
from .retinex import DARKEST, gaussian_lowpass

REFERENCE_WIDTH = 640
SMALLEST_PATCH = 8


class Draws:
    """Uniform numbers of one kind of perturbation, by name, and its lengths in pixels.

    Args:
        key: int64 (B,).
        kind: name of the kind.
        width: of the image; lengths are given for images `REFERENCE_WIDTH` wide.
        known: numbers that were drawn before, by name; others are drawn when they are asked for.
    """

    def __init__(
        self, key: Tensor, kind: str, width: int, known: Mapping[str, Tensor] | None = None
    ) -> None:
        self.key = key
        self.kind = kind
        self.scale = width / REFERENCE_WIDTH
        self.known = known or {}

    def __call__(self, name: str, count: int = 1) -> Tensor:
        """float64 (B, count) in [0, 1)."""
        known = self.known.get(name)
        if known is not None and known.shape[1] == count:
            return known
        return uniform(self.key, f'texture_{self.kind}_{name}', count)

    def pixels(self, lengths: tuple[float, float]) -> tuple[int, int]:
        """A range of lengths in pixels of this image, nowhere below `SMALLEST_PATCH`."""
        low, high = (max(SMALLEST_PATCH, round(value * self.scale)) for value in lengths)
        return low, high


def draw_kinds(
    key: Tensor, width: int, counts: Mapping[str, Mapping[str, int]]
) -> dict[str, Draws]:
    """`Draws` by kind, with what `counts` lists by kind and name drawn at once."""
    names = {(kind, name): f'texture_{kind}_{name}' for kind in counts for name in counts[kind]}
    drawn = uniform_many(key, {full: counts[kind][name] for (kind, name), full in names.items()})
    return {
        kind: Draws(key, kind, width, {name: drawn[names[kind, name]] for name in counts[kind]})
        for kind in counts
    }


def between(draws: Tensor, limits: tuple[float, float]) -> Tensor:
    """Uniform numbers in [0, 1) moved to a range."""
    return limits[0] + (limits[1] - limits[0]) * draws


def soften(mask: Tensor, width: int) -> Tensor:
    """Soft edges inside a mask of 0 and 1; `width` pixels wide."""
    kernel = 2 * (width // 2) + 1
    share = F.avg_pool2d(mask, kernel, 1, kernel // 2, count_include_pad=False)
    # outside of a concave corner more than half of a window may be masked
    return (2 * share - 1).clamp(min=0) * mask


def mean_texture(grid: Cells, texture: Tensor) -> Tensor:
    """Mean colour of every cell, scaled so that the cell keeps its mean of log max_c R.

    The illumination of an image is the low-pass of exactly that quantity, so a cell that is filled
    with this colour keeps its illumination.

    Args:
        grid: of cells.
        texture: reflectance (B, 3, H, W).

    Returns:
        (B, 3, *grid.shape).
    """
    brightest = texture.amax(1, keepdim=True).clamp(min=DARKEST)
    means = grid.mean(torch.cat([texture, brightest.log()], 1))
    colour = means[:, :3]
    return colour * (means[:, 3:].exp() / colour.amax(1, keepdim=True).clamp(min=DARKEST))


def missing_texture(
    texture: Tensor,
    draws: Draws,
    budget: Tensor,
    size: tuple[float, float],
    soft_prob: float,
    lowpass_prob: float,
    lowpass_sigma: float,
) -> tuple[Tensor, Tensor]:
    """Cells of a random grid lose their texture.

    Args:
        texture: reflectance (B, 3, H, W).
        draws: of this kind.
        budget: int64 (B,), pixels that the cells may cover.
        size, soft_prob, lowpass_prob, lowpass_sigma: see `RetinexTexturePerturbation`.

    Returns:
        The fill (B, 3, H, W), and in [0, 1] where it shows (B, 1, H, W).
    """
    shape = texture.shape[-2:]
    low, high = draws.pixels(size)
    sizes = log_uniform_size(draws('size', 2), low, high).unbind(1)
    sizes = [s.clamp(max=max(low, pixels // 2)) for s, pixels in zip(sizes, shape, strict=True)]
    grid = cell_grid(sizes, draws('offset', 2).unbind(1), shape, low)
    count = math.prod(grid.shape)
    chosen = keep_within(grid.area().flatten(1), budget, draws('order', count))
    mask = grid.spread(chosen.reshape(-1, 1, *grid.shape).to(texture.dtype))
    soft = (draws('soft') < soft_prob)[..., None, None]
    mask = torch.where(soft, soften(mask, low // 2), mask)
    fill = grid.spread(mean_texture(grid, texture))
    if lowpass_prob > 0:
        smooth = gaussian_lowpass(texture, lowpass_sigma * draws.scale)
        where = (draws('lowpass', count) < lowpass_prob).reshape(-1, 1, *grid.shape)
        fill = torch.where(grid.spread(where), smooth, fill)
    return fill, mask


def shuffled_texture(
    texture: Tensor,
    draws: Draws,
    budget: Tensor,
    size: tuple[float, float],
    block: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Square patches change places within blocks of a few patches; as `missing_texture`."""
    shape = texture.shape[-2:]
    low, high = draws.pixels(size)
    sizes = draws('size', 2)
    grid = tuple(max(1, pixels // low) for pixels in shape)
    index, mask = block_shuffle(
        log_uniform_size(sizes[:, 0], low, high),
        draws('offset', 2),
        log_uniform_size(sizes[:, 1], *block),
        draws('order', 2 * math.prod(grid)).reshape(-1, 2, *grid),
        budget,
        shape,
    )
    moved = texture.flatten(2).gather(2, index[:, None].expand(-1, texture.shape[1], -1))
    return moved.reshape(texture.shape), mask.to(texture.dtype)


def displaced(image: Tensor, draws: Tensor) -> Tensor:
    """Every image rolled along both axes, and flipped where the draw says so.

    Args:
        image: (B, C, H, W).
        draws: in [0, 1), (B, 4): vertical roll and flip, horizontal roll and flip. Rolls are by
            1/8 to 7/8 of the side, so that an image never covers itself.
    """
    for axis in (2, 3):
        roll, flip = draws[:, 2 * axis - 4 : 2 * axis - 2].split(1, 1)
        length = image.shape[axis]
        place = torch.arange(length, device=image.device)
        index = (place + (between(roll, (0.125, 0.875)) * length).long()) % length
        index = torch.where(flip < 0.5, index, length - 1 - index)
        index = index[:, None, :, None] if axis == 2 else index[:, None, None]
        size = list(image.shape)
        image = image.gather(axis, index.expand(size))
    return image


def following(image: Tensor, key: Tensor) -> Tensor:
    """For every image of the batch the one whose key is next in size; the order in the batch does
    not matter."""
    order = key.argsort()
    return image[order.roll(-1)[order.argsort()]]


def rectangle_field(
    draws: Draws,
    budget: Tensor,
    size: tuple[float, float],
    count: int,
    softness: tuple[float, float],
    heights: Tensor,
    shape: tuple[int, int],
) -> Tensor:
    """Sum of 1 to `count` random soft-edged rectangles, (B, 1, H, W) float32.

    Args:
        draws: of the kind.
        budget: int64 (B,), pixels that they may cover.
        size: range of their sides.
        count: at most so many per image.
        softness: range of the share of the half side that an edge takes.
        heights: (B, count) values inside.
        shape: (H, W).
    """
    low, high = draws.pixels(size)
    number = (draws('count')[:, 0] * count).long() + 1
    places = draws('rectangles', 4 * count).reshape(-1, count, 4)
    rectangles, present = place_rectangles(places, number, low, high, budget, shape)
    edges = between(draws('softness', count), softness)
    return draw_rectangles(rectangles, (heights * present).float(), edges, shape)

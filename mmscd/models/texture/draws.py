"""Random numbers and fields of the kinds of perturbation, functions of a key and of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from mmscd.utils.keyed_random import uniform_many

from .regions import draw_rectangles, place_rectangles

REFERENCE_WIDTH = 640
SMALLEST_PATCH = 8


class Draws(NamedTuple):
    """Uniform numbers of one kind of perturbation, by name, for keys int64 (B,), and how long it is
    what is given for images `REFERENCE_WIDTH` wide."""

    key: Tensor
    scale: float
    known: Mapping[str, Tensor]

    def __call__(self, name: str) -> Tensor:
        """float64 (B, count) in [0, 1)."""
        return self.known[name]

    def pixels(self, lengths: tuple[float, float]) -> tuple[int, int]:
        """`lengths_in_pixels` in these images."""
        return lengths_in_pixels(lengths, self.scale)


def lengths_in_pixels(lengths: tuple[float, float], scale: float) -> tuple[int, int]:
    """A range of lengths in pixels of an image `scale` times `REFERENCE_WIDTH` wide, nowhere below
    `SMALLEST_PATCH`."""
    low, high = (max(SMALLEST_PATCH, round(value * scale)) for value in lengths)
    return low, high


def draw_kinds(
    key: Tensor, scale: float, counts: Mapping[str, Mapping[str, int]]
) -> tuple[Tensor, dict[str, Draws]]:
    """All that a perturbation draws, at once: (B, 9) for the mix of kinds, and `Draws` by kind, of
    what `counts` lists by kind and name."""
    names = {kind: {name: f'texture_{kind}_{name}' for name in counts[kind]} for kind in counts}
    sizes = {full: counts[kind][n] for kind in counts for n, full in names[kind].items()}
    drawn = uniform_many(key, dict(texture_mix=9, **sizes))
    kinds = {
        kind: Draws(key, scale, {name: drawn[full] for name, full in names[kind].items()})
        for kind in counts
    }
    return drawn['texture_mix'], kinds


def between(draws: Tensor, limits: tuple[float, float]) -> Tensor:
    """Uniform numbers in [0, 1) moved to a range."""
    return limits[0] + (limits[1] - limits[0]) * draws


def rectangle_counts(most: int) -> dict[str, int]:
    """What `rectangle_field` draws, by name."""
    return dict(count=1, rectangles=4 * most, softness=most)


def rectangle_field(
    draws: Draws,
    budget: Tensor,
    size: tuple[float, float],
    count: int,
    softness: tuple[float, float],
    heights: Tensor,
    shape: tuple[int, int],
) -> Tensor:
    """Sum of 1 to `count` random soft-edged rectangles, (B, 1, H, W) float32, for `shape` (H, W).

    `budget` int64 (B,): pixels that they may cover; `size`: range of their sides; `softness`: range
    of the share of the half side that an edge takes; `heights` (B, count): values inside.
    """
    low, high = draws.pixels(size)
    number = (draws('count')[:, 0] * count).long() + 1
    places = draws('rectangles').reshape(-1, count, 4)
    rectangles, present = place_rectangles(places, number, low, high, budget, shape)
    edges = between(draws('softness'), softness)
    return draw_rectangles(rectangles, (heights * present).float(), edges, shape)

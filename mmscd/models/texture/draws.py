"""Random numbers and fields of the kinds of perturbation, functions of a key and of names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mmscd.utils.keyed_random import uniform, uniform_many

from .regions import draw_rectangles, place_rectangles

REFERENCE_WIDTH = 640
SMALLEST_PATCH = 8


class Draws:
    """Uniform numbers of one kind of perturbation, by name, for keys int64 (B,); and its lengths,
    given for images `REFERENCE_WIDTH` wide. Names in `known` were drawn before, others when asked
    for."""

    def __init__(
        self, key: Tensor, kind: str, width: int, known: Mapping[str, Tensor] | None = None
    ) -> None:
        self.key, self.kind = key, kind
        self.scale, self.known = width / REFERENCE_WIDTH, known or {}

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
    sizes = {full: counts[kind][name] for (kind, name), full in names.items()}
    drawn = uniform_many(key, sizes) if sizes else {}
    return {
        kind: Draws(key, kind, width, {name: drawn[names[kind, name]] for name in counts[kind]})
        for kind in counts
    }


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
    places = draws('rectangles', 4 * count).reshape(-1, count, 4)
    rectangles, present = place_rectangles(places, number, low, high, budget, shape)
    edges = between(draws('softness', count), softness)
    return draw_rectangles(rectangles, (heights * present).float(), edges, shape)

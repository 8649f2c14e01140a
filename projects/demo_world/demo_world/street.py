"""The street as a whole: how wide it is, how it winds, its ground and what closes its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import geometry as g
from . import objects
from .geometry import Builder, yaw_frame

KERB = 0.12
BACK = -14.0
PARKING = 2.1
CROSS_ROAD = 8.0
CROSS_WALK = 3.0


@dataclass(frozen=True)
class Layout:
    """What makes one street unlike another. Pairs are (left, right), lengths in metres.

    Attributes:
        half: Half of the road's width.
        parking: Whether cars are parked along the kerb.
        walks: Widths of the sidewalks.
        yards: Distances of the houses from the sidewalks.
        ahead: Distance from the drive's end to the crossing that ends the street.
    """

    half: float
    parking: tuple[bool, bool]
    walks: tuple[float, float]
    yards: tuple[float, float]
    ahead: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Layout:
        """Draws anything from a lane between house walls to an avenue beside a park."""
        parking = tuple(bool(p) for p in rng.random(2) < 0.6)
        half = rng.uniform(2.9, 4.0) + PARKING / 2 * sum(parking)
        kinds = ((0.4, 0.7), (2.2, 7.0), (10.0, 20.0))
        yards = tuple(rng.uniform(*kinds[k]) for k in rng.choice(3, 2, p=(0.45, 0.15, 0.4)))
        ahead = np.exp(rng.uniform(np.log(13.0), np.log(50.0)))
        return cls(half, parking, tuple(rng.uniform(1.8, 4.5, 2)), yards, ahead)

    def lanes(self) -> tuple[float, float]:
        """Left and right end of the part that traffic uses, metres from the road's centre."""
        left, right = (PARKING * p for p in self.parking)
        return left - self.half, self.half - right

    def front(self, side: int) -> float:
        """Distance of the houses from the road's centre; side -1 is left, 1 right."""
        return self.outer(side) + self.yards[side > 0]

    def outer(self, side: int) -> float:
        """Distance of the sidewalk's far edge from the road's centre."""
        return self.half + self.walks[side > 0]


class Street:
    """Centre line of a winding road, piecewise linear in z.

    Args:
        rng: Random generator.
        end: Last z of the street in metres.
    """

    def __init__(self, rng: np.random.Generator, end: float) -> None:
        self.knots = np.append(np.arange(BACK, end - 1.0, 3.0), end)
        wave, phase = rng.uniform(80, 130), rng.uniform(0, 2 * np.pi)
        swing = rng.uniform(1.0, 7.0)
        bend = swing * np.sin(2 * np.pi * self.knots / wave + phase)
        self.x = bend - swing * np.sin(phase)
        self.end = self.knots[-1]

    def __call__(self, z: float) -> float:
        """Returns the centre's x at ``z``, both metres."""
        return float(np.interp(z, self.knots, self.x))

    def yaw(self, z: float) -> float:
        """Heading of the road at ``z``, radians to the right."""
        return float(np.arctan2(self(z + 3) - self(z - 3), 6.0))

    def frame(self, z: float, side: float, y: float = 0.0, turn: float = 0.0) -> np.ndarray:
        """Pose (4, 4) at ``side`` metres right of the centre, facing along the road."""
        return yaw_frame(self(z) + side, z, self.yaw(z) + turn, y)


def add_ground(b: Builder, street: Street, layout: Layout, phase: float) -> None:
    """Adds road, kerbs, sidewalks and grass up to the street's end.

    Args:
        b: Collects the geometry.
        street: Centre line.
        layout: Widths.
        phase: Shift of the texture along the road in tiles; it moves the crossings.
    """
    inner, wide = layout.half, 140.0
    left, right = layout.outer(-1), layout.outer(1)
    strips = (
        (-wide, -left, -KERB, 'grass', g.TERRAIN),
        (-left, -inner - 0.18, -KERB, 'paving', g.SIDEWALK),
        (-inner - 0.18, -inner, -KERB, 'kerb', g.SIDEWALK),
        (-inner, inner, 0.0, 'road', g.ROAD),
        (inner, inner + 0.18, -KERB, 'kerb', g.SIDEWALK),
        (inner + 0.18, right, -KERB, 'paving', g.SIDEWALK),
        (right, wide, -KERB, 'grass', g.TERRAIN),
    )
    for z0, z1, x0, x1 in zip(street.knots, street.knots[1:], street.x, street.x[1:], strict=False):
        slope = (x1 - x0) / (z1 - z0)
        across = np.array([1.0, 0.0, -slope, slope * z0 - x0])
        along = np.array([0.0, 0.0, 1.0, 48.0 * phase])
        for a, c, y, name, label in strips:
            tile = b.tiles[name]
            # Tile 0 starts at the strip's left edge, so that lane marks sit where they belong.
            u = (across - (0, 0, 0, a)) / tile[0]
            rows = (
                [along / tile[0], u * tile[0] / tile[1]] if name == 'kerb' else [u, along / tile[1]]
            )
            corners = [(x1 + a, y, z1), (x1 + c, y, z1), (x0 + c, y, z0), (x0 + a, y, z0)]
            b.mapped(corners, name, label, np.array(rows))
        for side in (-inner, inner):
            _kerb_face(b, (x0 + side, z0), (x1 + side, z1), side < 0)


def _kerb_face(b: Builder, near: tuple[float, float], far: tuple[float, float], left: bool) -> None:
    b.frame = np.eye(4)
    (xa, za), (xb, zb) = (near, far) if left else (far, near)
    corners = [(xa, -KERB, za), (xb, -KERB, zb), (xb, 0, zb), (xa, 0, za)]
    offset = ((za if left else -za) / b.tiles['kerb'][0], 0)
    b.quad(corners, 'kerb', g.SIDEWALK, (0.9, 0.9, 0.9), offset=offset)


def add_end(b: Builder, rng: np.random.Generator, street: Street) -> None:
    """Adds a road across, and a row of houses or of trees behind it that closes the view."""
    x, z = street(street.end), street.end
    b.frame = np.eye(4)
    walk, lawn = z + CROSS_ROAD, z + CROSS_ROAD + CROSS_WALK
    for z0, z1, y, name, label in (
        (z, walk, 0.0, 'asphalt', g.ROAD),
        (walk, lawn, -KERB, 'paving', g.SIDEWALK),
        (lawn, z + 250, -KERB, 'grass', g.TERRAIN),
    ):
        corners = [(x - 300, y, z1), (x + 300, y, z1), (x + 300, y, z0), (x - 300, y, z0)]
        b.quad(corners, name, label)
    corners = [
        (x - 300, -KERB, walk),
        (x + 300, -KERB, walk),
        (x + 300, 0, walk),
        (x - 300, 0, walk),
    ]
    b.quad(corners, 'kerb', g.SIDEWALK, (0.9, 0.9, 0.9))
    park = rng.random() < 0.3
    at = -75.0 + rng.uniform(0, 18)
    while at < 75:
        length = rng.uniform(9, 19)
        # The houses' street faces look back at the camera.
        front = lawn + (rng.uniform(8, 14) if park else rng.uniform(0.3, 0.8))
        frame = yaw_frame(x + at + length / 2, front, -np.pi / 2, -KERB)
        objects.house(b, rng, frame, 1, length, rng.uniform(8, 12), int(rng.integers(1, 5)))
        at += length + (rng.uniform(3, 8) if rng.random() < 0.2 else 0.3)
    for at in np.arange(-72, 72, 4.5 if park else 14.0):
        away = rng.uniform(1, 7) if park else -CROSS_WALK + 0.8
        frame = yaw_frame(x + at + rng.uniform(-1.5, 1.5), lawn + away, 0.0, -KERB)
        if park or rng.random() < 0.5:
            objects.tree(b, rng, frame, rng.uniform(0.8, 1.5))

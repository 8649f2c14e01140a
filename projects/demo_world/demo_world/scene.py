"""Lays out one random street: ground strips, houses, traffic, greenery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import geometry as g
from . import objects
from .camera import drive_poses
from .geometry import Builder, Geometry, yaw_frame
from .materials import ROAD_HALF
from .parts import scene_materials
from .textures import Texture

KERB = 0.12
SIDEWALK = 3.0
BACK = -14.0
BEYOND = 165.0


@dataclass
class Mover:
    """A car that drives along the street.

    Attributes:
        shape: Geometry in the car's own frame.
        start: Position along the street at frame 0, metres.
        speed: Metres per frame, negative for oncoming traffic.
        lane: Offset from the road's centre, metres.
    """

    shape: Geometry
    start: float
    speed: float
    lane: float


class Street:
    """Centre line of a gently winding road, piecewise linear in z.

    Args:
        rng: Random generator.
        end: Last z of the street in metres.
    """

    def __init__(self, rng: np.random.Generator, end: float) -> None:
        self.knots = np.arange(BACK, end + 1e-6, 4.0)
        wave, phase = rng.uniform(110, 170), rng.uniform(0, 2 * np.pi)
        swing = rng.uniform(1.2, 3.2)
        bend = swing * np.sin(2 * np.pi * self.knots / wave + phase)
        self.x = bend - swing * np.sin(phase)
        self.end = self.knots[-1]

    def __call__(self, z: float) -> float:
        """Returns the centre's x at ``z``, both metres."""
        return float(np.interp(z, self.knots, self.x))

    def frame(self, z: float, side: float, y: float = 0.0, turn: float = 0.0) -> np.ndarray:
        """Pose (4, 4) at ``side`` metres right of the centre, facing along the road."""
        yaw = np.arctan2(self(z + 3) - self(z - 3), 6.0)
        return yaw_frame(self(z) + side, z, yaw + turn, y)


@dataclass
class Scene:
    """One street with its drive.

    Attributes:
        textures: Texture of each material, in index order.
        clouds: Cloud texture.
        static: All geometry that does not move.
        movers: Moving cars.
        poses: Camera-to-world poses, (frames, 4, 4).
        street: Centre line.
        sun: Unit vector towards the sun, (3,).
        sky: Horizon and zenith colours, (2, 3).
    """

    textures: list[Texture]
    clouds: Texture
    static: Geometry
    movers: list[Mover]
    poses: np.ndarray
    street: Street
    sun: np.ndarray
    sky: np.ndarray

    def moving(self, index: int) -> list[Geometry]:
        """Returns the moving cars where they are at frame ``index``."""
        out = []
        for car in self.movers:
            z = car.start + car.speed * index
            if self.street.knots[0] + 4 < z < self.street.end - 4:
                turn = np.pi if car.speed < 0 else 0.0
                out.append(car.shape.placed(self.street.frame(z, car.lane, turn=turn)))
        return out


def build_scene(seed: int, drive: int, frames: int) -> Scene:
    """Builds the street of one drive.

    Args:
        seed: Seed of the data set.
        drive: Drive number; other numbers give other streets.
        frames: Frames in the drive.
    """
    rng = np.random.default_rng([seed, drive])
    textures = scene_materials(rng)
    street = Street(rng, BEYOND + 0.62 * frames)
    b = Builder({name: tex.metres for name, tex in textures.items()})
    _ground(b, street, rng.random())
    # From a dense town (0) to a leafy suburb (1).
    leafy = (drive * 0.618 + rng.uniform(0, 0.25)) % 1.0
    for side in (-1, 1):
        _houses(b, rng, street, side, leafy)
        _furniture(b, rng, street, side)
        _parked(b, rng, street, side)
    _street_end(b, rng, street)
    movers = _movers(b.tiles, rng, frames)
    poses = drive_poses(rng, frames, street, lane=1.5)
    height, azimuth = np.deg2rad(rng.uniform(48, 62)), np.deg2rad(rng.uniform(80, 150))
    # From behind or aside, so that the faces the camera sees are mostly lit.
    azimuth *= rng.choice([-1, 1])
    sun = np.array(
        [np.cos(height) * np.sin(azimuth), -np.sin(height), np.cos(height) * np.cos(azimuth)]
    )
    sky = np.array([(0.82, 0.87, 0.93), (0.36, 0.56, 0.85)]) * rng.uniform(0.93, 1.04)
    return Scene(
        list(textures.values()), textures['clouds'], b.build(), movers, poses, street, sun, sky
    )


def _ground(b: Builder, street: Street, phase: float) -> None:
    inner, outer, wide = ROAD_HALF, ROAD_HALF + SIDEWALK, 140.0
    strips = (
        (-wide, -outer, -KERB, 'grass', g.TERRAIN),
        (-outer, -inner - 0.18, -KERB, 'paving', g.SIDEWALK),
        (-inner - 0.18, -inner, -KERB, 'kerb', g.SIDEWALK),
        (-inner, inner, 0.0, 'road', g.ROAD),
        (inner, inner + 0.18, -KERB, 'kerb', g.SIDEWALK),
        (inner + 0.18, outer, -KERB, 'paving', g.SIDEWALK),
        (outer, wide, -KERB, 'grass', g.TERRAIN),
    )
    for z0, z1, x0, x1 in zip(street.knots, street.knots[1:], street.x, street.x[1:], strict=False):
        slope = (x1 - x0) / (z1 - z0)
        across = np.array([1.0, 0.0, -slope, slope * z0 - x0])
        # The phase puts the crossings of each street somewhere else.
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
        b.frame = np.eye(4)
        for side in (-inner, inner):
            near, far = (x0 + side, z0), (x1 + side, z1)
            left, right = (near, far) if side < 0 else (far, near)
            b.quad(
                [
                    (left[0], -KERB, left[1]),
                    (right[0], -KERB, right[1]),
                    (right[0], 0, right[1]),
                    (left[0], 0, left[1]),
                ],
                'kerb',
                g.SIDEWALK,
                (0.9, 0.9, 0.9),
                offset=((z0 if side < 0 else -z1) / b.tiles['kerb'][0], 0),
            )


def _houses(b: Builder, rng: np.random.Generator, street: Street, side: int, leafy: float) -> None:
    z = street.knots[0] + rng.uniform(0, 8)
    front = ROAD_HALF + SIDEWALK
    while z < street.end - 16:
        length, depth = rng.uniform(9, 19), rng.uniform(8, 12)
        yard = rng.choice([2.5, 4.5, 7.0] if rng.random() < 0.15 + 0.7 * leafy else [0.45, 0.6])
        frame = street.frame(z + length / 2, side * (front + yard), -KERB)
        floors = int(rng.integers(1, round(5.4 - 2.8 * leafy)))
        objects.house(b, rng, frame, side, length, depth, floors)
        if yard > 2:
            _yard(b, rng, street, side, z, length, yard)
        gap = rng.choice([3.0, 7.0, 12.0, 16.0] if rng.random() < 0.3 + 0.6 * leafy else [0.3])
        if gap > 2:
            _gap(b, rng, street, side, z + length, gap)
        z += length + gap


def _yard(
    b: Builder,
    rng: np.random.Generator,
    street: Street,
    side: int,
    z: float,
    length: float,
    yard: float,
) -> None:
    edge = side * (ROAD_HALF + SIDEWALK + 0.3)
    b.frame = street.frame(z + length / 2, edge, -KERB)
    kind, half = rng.integers(3), length / 2
    if kind == 0:
        b.box((-0.04, -1.2, -half), (0.04, 0, half), 'fence', g.FENCE, skip='u')
    elif kind == 1:
        b.box((-0.13, -0.9, -half), (0.13, 0, half), 'brick', g.WALL, (0.85, 0.7, 0.6), skip='u')
    else:
        b.box((-0.35, -1.0, -half), (0.35, 0, half), 'leaf', g.VEGETATION, skip='u')
    for at in np.arange(1.5, length - 1, 2.5):
        objects.bush(
            b, rng, street.frame(z + at, edge + side * rng.uniform(0.8, yard - 0.8), -KERB)
        )


def _gap(
    b: Builder, rng: np.random.Generator, street: Street, side: int, z: float, gap: float
) -> None:
    base = ROAD_HALF + SIDEWALK
    b.frame = street.frame(z + gap / 2, side * (base + 1.0), -KERB)
    name, label = (('fence', g.FENCE), ('brick', g.WALL))[rng.integers(2)]
    b.box((-0.08, -1.6, -gap / 2), (0.08, 0, gap / 2), name, label, skip='u')
    for away in (3.5, 11.0, 19.0):
        for at in np.arange(1.0, gap, 4.5):
            frame = street.frame(z + at, side * (base + away + rng.uniform(-1, 1)), -KERB)
            objects.tree(b, rng, frame, rng.uniform(1.0, 1.7))


def _furniture(b: Builder, rng: np.random.Generator, street: Street, side: int) -> None:
    edge = side * (ROAD_HALF + 0.65)
    for z in np.arange(street.knots[0] + 9 + 11 * (side > 0), street.end - 10, 22.0):
        objects.street_lamp(b, street.frame(z, edge, -KERB), side)
    trees = rng.random() < 0.85
    for z in np.arange(street.knots[0] + 5, street.end - 10, 11.0):
        if trees and rng.random() < 0.6:
            objects.tree(b, rng, street.frame(z, edge * 1.05, -KERB), rng.uniform(0.75, 1.05))
    # Between the places of the trees and the lamps, so that no pole stands in a trunk.
    for z in np.arange(street.knots[0] + 13, street.end - 20, 22.0):
        frame = street.frame(z + rng.uniform(-0.8, 0.8), edge, -KERB)
        if rng.random() < 0.25:
            objects.traffic_light(b, frame)
        elif rng.random() < 0.8:
            objects.sign(b, rng, frame)
    for z in rng.uniform(8, street.end - 60, 5):
        objects.person(b, rng, street.frame(z, side * rng.uniform(6.6, 8.0), -KERB))


def _parked(b: Builder, rng: np.random.Generator, street: Street, side: int) -> None:
    z, full = street.knots[0] + rng.uniform(2, 10), rng.uniform(0.05, 0.45)
    while z < street.end - 20:
        turn = rng.normal(0, 0.02) + (np.pi if side < 0 else 0.0)
        objects.car(
            b, rng, street.frame(z, side * (ROAD_HALF - 1.02 + rng.normal(0, 0.04)), turn=turn)
        )
        z += rng.uniform(5.6, 7.5) if rng.random() < full else rng.uniform(12.0, 28.0)


def _street_end(b: Builder, rng: np.random.Generator, street: Street) -> None:
    x, z = street(street.end), street.end
    b.frame = np.eye(4)
    b.quad(
        [
            (x - 300, -KERB, z + 250),
            (x + 300, -KERB, z + 250),
            (x + 300, -KERB, z),
            (x - 300, -KERB, z),
        ],
        'grass',
        g.TERRAIN,
    )
    for at in np.arange(-70, 70, 18.0):
        height = rng.uniform(8, 17)
        b.box(
            (x + at, -height, z + 8),
            (x + at + rng.uniform(13, 17), 0, z + 20),
            f'facade{rng.integers(5)}',
            g.BUILDING,
            objects.WALLS[rng.integers(9)],
            skip='uf',
        )
    for at in np.arange(-66, 66, 7.0):
        frame = yaw_frame(x + at, z + rng.uniform(1, 6), 0.0, -KERB)
        objects.tree(b, rng, frame, rng.uniform(1.0, 1.6))


def _movers(tiles: dict, rng: np.random.Generator, frames: int) -> list[Mover]:
    out = []
    # A car ahead at the camera's own speed looks infinitely far to view synthesis, so only
    # some streets have one, and it pulls away.
    for oncoming in [True, True, False][: rng.choice([2, 3])]:
        b = Builder(tiles)
        objects.car(b, rng, np.eye(4))
        speed = -rng.uniform(0.4, 0.75) if oncoming else rng.uniform(0.85, 1.1)
        span = 0.7 * frames + 8
        start = 14.0 + span * (len(out) + rng.random()) if oncoming else rng.uniform(14, 30)
        out.append(Mover(b.build(), start, speed, -1.7 if oncoming else 1.7))
    return out

"""Lays out one random street: ground strips, houses, traffic, greenery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import geometry as g
from . import objects
from .camera import SPEED, drive_poses
from .geometry import Builder, Geometry
from .parts import scene_materials
from .street import KERB, Layout, Street, add_end, add_ground
from .textures import Texture

POLE_DISTANCE = 4.2


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


@dataclass
class Scene:
    """One street with its drive.

    Attributes:
        textures: Texture of each material, in index order.
        names: Name of each material.
        clouds: Cloud texture.
        static: All geometry that does not move.
        movers: Moving cars.
        poses: Camera-to-world poses, (frames, 4, 4).
        street: Centre line.
        sun: Unit vector towards the sun, (3,).
        sky: Horizon and zenith colours, (2, 3).
    """

    textures: list[Texture]
    names: list[str]
    clouds: Texture
    static: Geometry
    movers: list[Mover]
    poses: np.ndarray
    street: Street
    sun: np.ndarray
    sky: np.ndarray

    def moving(self, index: float) -> list[Geometry]:
        """Returns the moving cars where they are at frame ``index``, which may lie between two."""
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
    layout = Layout.draw(rng)
    textures = scene_materials(rng, layout.half, layout.lanes())
    street = Street(rng, SPEED * frames + layout.ahead)
    b = Builder({name: tex.metres for name, tex in textures.items()})
    add_ground(b, street, layout, rng.random())
    # From a dense town (0) to a leafy suburb (1).
    leafy = (drive * 0.618 + rng.uniform(0, 0.25)) % 1.0
    for side in (-1, 1):
        _houses(b, rng, street, layout, side, leafy)
        _furniture(b, rng, street, layout, side)
        if layout.parking[side > 0]:
            _parked(b, rng, street, layout, side)
    add_end(b, rng, street)
    movers = _movers(b.tiles, rng, frames, layout, street.end - 5.0)
    poses = drive_poses(rng, frames, street, lane=_lane(layout, 1))
    height, azimuth = np.deg2rad(rng.uniform(48, 62)), np.deg2rad(rng.uniform(80, 150))
    # From behind or aside, so that the faces the camera sees are mostly lit.
    azimuth *= rng.choice([-1, 1])
    sun = np.array(
        [np.cos(height) * np.sin(azimuth), -np.sin(height), np.cos(height) * np.cos(azimuth)]
    )
    sky = np.array([(0.82, 0.87, 0.93), (0.36, 0.56, 0.85)]) * rng.uniform(0.93, 1.04)
    return Scene(
        list(textures.values()),
        list(textures),
        textures['clouds'],
        b.build(),
        movers,
        poses,
        street,
        sun,
        sky,
    )


def _lane(layout: Layout, side: int) -> float:
    """Middle of the lane of one direction; side 1 drives away from the start."""
    left, right = layout.lanes()
    return (left + right) / 2 + side * (right - left) / 4


def _houses(
    b: Builder,
    rng: np.random.Generator,
    street: Street,
    layout: Layout,
    side: int,
    leafy: float,
) -> None:
    z, yard = street.knots[0] + rng.uniform(0, 8), layout.yards[side > 0]
    while z < street.end - 6:
        # In bends a house takes less of z than its length.
        slant = np.cos(street.yaw(z + 6))
        length, depth = rng.uniform(9, 19), rng.uniform(8, 12)
        length = min(length, (street.end - z) / slant)
        place = z + length * slant / 2
        shift = yard * (1 + rng.uniform(-0.12, 0.12))
        frame = street.frame(place, side * (layout.outer(side) + shift), -KERB)
        floors = int(rng.integers(1, round(5.4 - 2.8 * leafy)))
        objects.house(b, rng, frame, side, length, depth, floors)
        if yard > 2:
            _yard(b, rng, street, layout, side, place, length)
        gap = rng.choice([3.0, 7.0, 12.0, 16.0] if rng.random() < 0.2 + 0.5 * leafy else [0.3])
        z += length * slant
        if 2 < gap < street.end - z:
            _gap(b, rng, street, layout, side, z, gap)
        z += gap


def _yard(
    b: Builder,
    rng: np.random.Generator,
    street: Street,
    layout: Layout,
    side: int,
    place: float,
    length: float,
) -> None:
    """Fills the ground before a house whose middle lies at z = ``place``."""
    edge, yard = side * (layout.outer(side) + 0.3), layout.yards[side > 0]
    b.frame = street.frame(place, edge, -KERB)
    kind, half = rng.integers(4), length / 2
    if kind == 0:
        b.box((-0.04, -1.2, -half), (0.04, 0, half), 'fence', g.FENCE, skip='u')
    elif kind == 1:
        b.box((-0.13, -0.9, -half), (0.13, 0, half), 'brick', g.WALL, (0.85, 0.7, 0.6), skip='u')
    elif kind == 2:
        b.box((-0.35, -1.0, -half), (0.35, 0, half), 'leaf', g.VEGETATION, skip='u')
    for at in np.arange(1.5, length - 1, 2.5):
        away = rng.uniform(0.8, yard - 0.8)
        frame = street.frame(place - half + at, edge + side * away, -KERB)
        if yard > 9 and rng.random() < 0.5:
            objects.tree(b, rng, frame, rng.uniform(0.8, 1.5))
        else:
            objects.bush(b, rng, frame)


def _gap(
    b: Builder,
    rng: np.random.Generator,
    street: Street,
    layout: Layout,
    side: int,
    z: float,
    gap: float,
) -> None:
    base = layout.outer(side)
    b.frame = street.frame(z + gap / 2, side * (base + 1.0), -KERB)
    name, label = (('fence', g.FENCE), ('brick', g.WALL))[rng.integers(2)]
    b.box((-0.08, -1.6, -gap / 2), (0.08, 0, gap / 2), name, label, skip='u')
    for away in (3.5, 11.0, 19.0):
        for at in np.arange(1.0, gap, 4.5):
            frame = street.frame(z + at, side * (base + away + rng.uniform(-1, 1)), -KERB)
            objects.tree(b, rng, frame, rng.uniform(1.0, 1.7))


def _furniture(
    b: Builder, rng: np.random.Generator, street: Street, layout: Layout, side: int
) -> None:
    # Poles that pass the camera closely are thinner than the way they move from frame to frame,
    # and view synthesis cannot learn them: they keep a distance from the lane or are left out.
    away = max(layout.half + 0.65, side * _lane(layout, 1) + POLE_DISTANCE)
    if away > layout.outer(side) - 0.3:
        return
    edge, start = side * away, street.knots[0] - rng.uniform(0, 22)
    # Alternating along the street; the lists begin behind it, at a random phase.
    for z in np.arange(start + 9 + 11 * (side > 0), street.end - 2, 22.0):
        objects.street_lamp(b, street.frame(z, edge, -KERB), side)
    # On a narrow sidewalk the crowns would reach into the houses.
    trees = layout.walks[side > 0] > 2.6 and rng.random() < 0.75
    for z in np.arange(start + 5, street.end - 2, 11.0):
        if trees and rng.random() < 0.6:
            objects.tree(b, rng, street.frame(z, edge, -KERB), rng.uniform(0.75, 1.05))
    # Between the places of the trees and the lamps, so that no pole stands in a trunk.
    for z in np.arange(start + 13, street.end - 2, 22.0):
        frame = street.frame(z + rng.uniform(-0.8, 0.8), edge, -KERB)
        if rng.random() < 0.25:
            objects.traffic_light(b, frame)
        elif rng.random() < 0.8:
            objects.sign(b, rng, frame)
    for z in rng.uniform(8, street.end, rng.integers(1, 5)):
        beside = rng.uniform(away - 0.2, layout.outer(side) - 0.2)
        objects.person(b, rng, street.frame(z, side * beside, -KERB))


def _parked(
    b: Builder, rng: np.random.Generator, street: Street, layout: Layout, side: int
) -> None:
    z, full = street.knots[0] + rng.uniform(2, 10), rng.uniform(0.05, 0.45)
    while z < street.end - 5:
        turn = rng.normal(0, 0.02) + (np.pi if side < 0 else 0.0)
        away = side * (layout.half - 1.02 + rng.normal(0, 0.04))
        objects.car(b, rng, street.frame(z, away, turn=turn))
        z += rng.uniform(5.6, 7.5) if rng.random() < full else rng.uniform(12.0, 28.0)


def _movers(
    tiles: dict, rng: np.random.Generator, frames: int, layout: Layout, reach: float
) -> list[Mover]:
    """Cars that stay on the street, which they can use up to z = ``reach``, during the drive."""
    out = []
    # A car ahead at the camera's own speed looks infinitely far to view synthesis, and one that
    # comes towards it looks nearer than it is. So most streets have none, and they stay away.
    for oncoming in [True, False][: rng.choice([0, 1, 2], p=(0.6, 0.3, 0.1))]:
        b = Builder(tiles)
        objects.car(b, rng, np.eye(4))
        speed = SPEED * (-rng.uniform(0.6, 1.1) if oncoming else rng.uniform(1.3, 1.6))
        start = rng.uniform(0.6, 1.0) * reach if oncoming else rng.uniform(12.0, 26.0)
        clear = start > 18.0 if oncoming else start + speed * frames < reach
        if clear:
            out.append(Mover(b.build(), start, speed, _lane(layout, -1 if oncoming else 1)))
    return out

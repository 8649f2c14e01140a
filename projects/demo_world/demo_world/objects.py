"""Things that stand on the street: houses, cars, trees, poles, people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import geometry as g
from .geometry import Builder
from .materials import FLOOR, SHOP_HEIGHT

PAINTS = (
    (0.95, 0.95, 0.95),
    (0.18, 0.19, 0.21),
    (0.72, 0.74, 0.77),
    (0.62, 0.1, 0.1),
    (0.13, 0.25, 0.52),
    (0.2, 0.36, 0.3),
    (0.8, 0.62, 0.2),
    (0.45, 0.32, 0.25),
    (0.3, 0.45, 0.6),
)
# of the heads of street lamps: by it they are found where they shine
LAMP_TINT = (1.4, 1.4, 1.3)
WALLS = (
    (1.0, 0.94, 0.84),
    (0.9, 0.72, 0.58),
    (0.95, 0.86, 0.62),
    (0.78, 0.8, 0.84),
    (0.88, 0.66, 0.54),
    (0.72, 0.8, 0.7),
    (1.05, 1.02, 1.0),
    (0.74, 0.56, 0.48),
    (0.92, 0.78, 0.76),
)


def house(
    b: Builder,
    rng: np.random.Generator,
    frame: np.ndarray,
    side: int,
    length: float,
    depth: float,
    floors: int,
) -> None:
    """Adds a house whose street face lies on the local plane x = 0.

    Args:
        b: Collects the geometry.
        rng: Random generator.
        frame: Pose of the middle of the street face, z along the road, (4, 4).
        side: +1 if the house is on the right of the road.
        length: Extent along the road in metres.
        depth: Extent away from the road in metres.
        floors: Number of floors above the ground floor.
    """
    b.frame = frame
    tint = np.array(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.88, 1.08)
    face = f'facade{rng.integers(5)}'
    top, half = -SHOP_HEIGHT - floors * FLOOR, length / 2
    offset = (rng.integers(4) / 4, rng.integers(4) / 4)

    def slab(x0: float, x1: float, y0: float, y1: float, extra: float, **kwargs) -> None:
        a, c = sorted((side * x0, side * x1))
        b.box((a, y0, -half - extra), (c, y1, half + extra), label=g.BUILDING, **kwargs)

    street = 'l' if side > 0 else 'r'
    ends = face if rng.random() < 0.4 else 'brick'
    slab(
        0,
        depth,
        top,
        -SHOP_HEIGHT,
        0,
        tint=tint,
        skip='ut',
        offset=offset,
        material={street: face, 'b': ends, '*': 'brick'},
    )
    shop = f'shops{rng.integers(2)}' if rng.random() < 0.75 else 'brick'
    slab(
        0,
        depth,
        -SHOP_HEIGHT,
        0,
        0,
        tint=tint,
        skip='ut',
        offset=(rng.random(), 0.0),
        material={street: shop, '*': 'brick'},
    )
    slab(-0.35, depth, top - 0.5, top, 0.2, tint=tint * 0.95, material='concrete', skip='f')
    slab(-0.18, 0, -SHOP_HEIGHT - 0.25, -SHOP_HEIGHT + 0.05, 0, material='concrete', tint=tint)
    _balconies(b, rng, slab, side, half, floors)
    if rng.random() < 0.6:
        _roof(b, side, half, depth, top - 0.5)
    if shop != 'brick' and rng.random() < 0.6:
        at = rng.uniform(-half + 2, half - 2)
        cloth = np.array(PAINTS[rng.integers(len(PAINTS))]) + 0.1
        a, c = sorted((0.0, -1.1 * side))
        b.box((a, -2.9, at - 1.7), (c, -2.65, at + 1.7), 'cloth', g.BUILDING, cloth)


def _balconies(
    b: Builder,
    rng: np.random.Generator,
    slab: Callable[..., None],
    side: int,
    half: float,
    floors: int,
) -> None:
    if rng.random() < 0.45:
        return
    for floor in range(floors):
        for at in np.arange(-half + 2.2, half - 2.0, 4.4):
            y = -SHOP_HEIGHT - floor * FLOOR - 0.35
            a, c = sorted((0.0, -0.9 * side))
            b.box(
                (a, y - 0.85, at - 1.1),
                (c, y, at + 1.1),
                {'*': 'fence', 'u': 'concrete'},
                g.BUILDING,
                (1.1, 1.05, 1.0),
            )


def _roof(b: Builder, side: int, half: float, depth: float, base: float) -> None:
    ridge, mid = base - 2.8, side * depth / 2
    street = [(mid, ridge, -half), (mid, ridge, half), (0, base, half), (0, base, -half)]
    gable = [
        (mid, ridge, -half),
        (mid, ridge, -half),
        (depth * side, base, -half),
        (0, base, -half),
    ]
    if side < 0:
        gable = [gable[0], gable[1], gable[3], gable[2]]
    else:
        street = [street[1], street[0], street[3], street[2]]
    b.quad(street, 'roof', g.BUILDING)
    b.quad(gable, 'brick', g.BUILDING, (0.8, 0.72, 0.66))


def car(b: Builder, rng: np.random.Generator, frame: np.ndarray) -> None:
    """Adds a car centred on ``frame`` (4, 4), facing its local +z."""
    b.frame = frame
    paint = np.array(PAINTS[rng.integers(len(PAINTS))])
    van = rng.random() < 0.2
    w, n, f = 0.87 + 0.05 * van, -2.15, 2.15
    top, waist, low = (-1.95 if van else -1.45), (-1.1 if van else -0.9), -0.25
    sides = {'l': 'car_side', 'r': 'car_side', 'b': 'car_rear', 'f': 'car_front', '*': 'paint'}
    b.box((-w, waist, n), (w, low, f), sides, g.CAR, paint, fit=True, skip='u')
    back, roof_n, roof_f, hood = (n, n + 0.15, 0.9, 1.4) if van else (n + 0.25, n + 0.8, 0.25, 1.0)
    r = w - 0.17
    clear = (1.0, 1.0, 1.0)
    quads = (
        (
            [(-r, top, roof_n), (r, top, roof_n), (w, waist, back), (-w, waist, back)],
            'car_screen',
            clear,
        ),
        (
            [(r, top, roof_f), (-r, top, roof_f), (-w, waist, hood), (w, waist, hood)],
            'car_screen',
            clear,
        ),
        (
            [(-r, top, roof_f), (-r, top, roof_n), (-w, waist, back), (-w, waist, hood)],
            'car_glass',
            paint,
        ),
        (
            [(r, top, roof_n), (r, top, roof_f), (w, waist, hood), (w, waist, back)],
            'car_glass',
            paint,
        ),
        (
            [(-r, top, roof_f), (r, top, roof_f), (r, top, roof_n), (-r, top, roof_n)],
            'paint',
            paint,
        ),
    )
    for corners, name, tint in quads:
        b.quad(corners, name, g.CAR, tint, fit=name != 'paint')
    for x in (-w + 0.04, w - 0.04):
        for z in (-1.3, 1.3):
            b.ellipsoid((x, -0.32, z), (0.11, 0.32, 0.32), 'tyre', g.CAR, (1.2, 1.2, 1.2))


def tree(b: Builder, rng: np.random.Generator, frame: np.ndarray, size: float) -> None:
    """Adds a tree: a trunk and overlapping crowns, each a leafy shell around a core."""
    b.frame = frame
    trunk = 0.14 + 0.05 * size
    b.box((-trunk, -2.6 * size, -trunk), (trunk, 0.15, trunk), 'bark', g.VEGETATION, skip='ut')
    tint = np.array([1.0, 1.0, 1.0]) * rng.uniform(0.75, 1.15) + rng.normal(0, 0.07, 3)
    for k in range(rng.integers(8, 12)):
        # The first ball fills the middle; the others break up its outline.
        spread = 0.3 if k == 0 else 1.0
        spot = spread * rng.normal(0, (0.6, 0.5, 0.6)) * size + (0, -3.5 * size, 0)
        radius = rng.uniform(0.5, 0.9, 3) * size * (1.3 if k == 0 else 1.0)
        shade = tint * rng.uniform(0.85, 1.15)
        b.ellipsoid(spot, radius, 'leaf', g.VEGETATION, shade, holes=True)
        b.ellipsoid(spot, radius * 0.82, 'leaf', g.VEGETATION, shade * 0.75)


def bush(b: Builder, rng: np.random.Generator, frame: np.ndarray) -> None:
    """Adds a low bush."""
    b.frame = frame
    for _ in range(3):
        spot = (*rng.normal(0, 0.5, 1), -0.45, *rng.normal(0, 0.5, 1))
        radius = rng.uniform(0.45, 0.8, 3)
        b.ellipsoid(spot, radius, 'leaf', g.VEGETATION, (1.05, 1, 0.9), holes=True)
        b.ellipsoid(spot, radius * 0.86, 'leaf', g.VEGETATION, (0.75, 0.75, 0.7))


def street_lamp(b: Builder, frame: np.ndarray, side: int) -> None:
    """Adds a street lamp whose arm reaches over the road."""
    b.frame = frame
    b.box((-0.08, -6.4, -0.08), (0.08, 0, 0.08), 'metal', g.POLE, skip='ut')
    b.box((-0.16, -0.9, -0.16), (0.16, 0, 0.16), 'metal', g.POLE, (0.8, 0.8, 0.8), skip='u')
    a, c = sorted((0.0, -1.7 * side))
    b.box((a, -6.5, -0.05), (c, -6.38, 0.05), 'metal', g.POLE)
    a, c = sorted((-1.2 * side, -1.9 * side))
    b.box((a, -6.42, -0.13), (c, -6.28, 0.13), 'metal', g.POLE, LAMP_TINT)


def sign(b: Builder, rng: np.random.Generator, frame: np.ndarray) -> None:
    """Adds a traffic sign on a pole, facing oncoming traffic (-z)."""
    b.frame = frame
    b.box((-0.05, -2.9, -0.05), (0.05, 0, 0.05), 'metal', g.POLE, skip='ut')
    s, pick = rng.uniform(0.36, 0.5), rng.integers(4)
    b.box((-s, -2.9 - s, -0.09), (s, -2.9 + s, -0.06), 'metal', g.SIGN)
    corners = [(-s, -2.9 - s, -0.1), (s, -2.9 - s, -0.1), (s, -2.9 + s, -0.1), (-s, -2.9 + s, -0.1)]
    b.quad(corners, 'signs', g.SIGN, fit=True, offset=(pick / 4, 0.0), span=0.25)


def traffic_light(b: Builder, frame: np.ndarray) -> None:
    """Adds a traffic light facing -z."""
    b.frame = frame
    b.box((-0.07, -3.2, -0.07), (0.07, 0, 0.07), 'metal', g.POLE, skip='ut')
    b.box((-0.2, -3.4, -0.3), (0.2, -2.4, -0.07), {'b': 'lamps', '*': 'metal'}, g.LIGHT, fit=True)


def person(b: Builder, rng: np.random.Generator, frame: np.ndarray) -> None:
    """Adds a standing person."""
    b.frame = frame
    coat, legs = rng.uniform(0.25, 1.1, 3), rng.uniform(0.2, 0.6, 3)
    for x in (-0.1, 0.1):
        b.ellipsoid((x, -0.45, 0), (0.1, 0.47, 0.12), 'cloth', g.PERSON, legs)
    b.ellipsoid((0, -1.12, 0), (0.24, 0.42, 0.17), 'cloth', g.PERSON, coat)
    b.ellipsoid((0, -1.62, 0), (0.11, 0.15, 0.12), 'cloth', g.PERSON, (1.0, 0.78, 0.64))

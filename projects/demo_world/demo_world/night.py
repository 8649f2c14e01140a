"""Night: a dark sky, street lamps, the headlights of the own car, and lights of other cars."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import CAMERA_HEIGHT
from .frames import FrameRenderer, Shot
from .geometry import Geometry
from .light import add_sensor_noise, to_encoded, to_linear
from .objects import LAMP_TINT
from .shading import by_material, texture_coordinates

SODIUM = np.array([1.0, 0.66, 0.34], np.float32)
LED = np.array([0.95, 0.97, 1.0], np.float32)
XENON = np.array([1.0, 0.97, 0.9], np.float32)
MOON = np.array([0.55, 0.7, 1.0], np.float32)
LAMP, BEAM, GLOW = 42.0, 230.0, 30.0
REACH = 45.0  # metres; lamps farther away do not light a surface
# Where the lamps are on the texture of a car's end, in tiles: (left, right, top, bottom).
CAR_LAMPS = ((0.034, 0.24, 0.175, 0.425), (0.76, 0.966, 0.175, 0.425))


@dataclass(frozen=True)
class Darkness:
    """How dark a night is.

    Attributes:
        ambient: Light of the sky and of the town on a white surface.
        lamps: Share of the street lamps that shine.
        photons: See `add_sensor_noise`.
        read: Likewise.
    """

    ambient: float
    lamps: float
    photons: float
    read: float


@dataclass
class Surfaces:
    """What is visible, sample by sample: points and normals (n, 3), linear albedo and glow."""

    where: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    albedo: np.ndarray
    glow: np.ndarray


def draw_night(
    renderer: FrameRenderer, index: int, night: Darkness, rng: np.random.Generator
) -> np.ndarray:
    """The street at night as a camera encodes it, (H, W, 3) in [0, 1]."""
    shot = renderer.shot(index)
    kind = SODIUM if rng.random() < 0.6 else LED
    lamps = lamp_positions(shot.geom)
    lamps = lamps[rng.random(len(lamps)) < night.lamps]
    parked = len(renderer.scene.static.verts)
    lit = np.arange(len(shot.geom.verts)) >= parked
    lit |= rng.random(len(lit)) < 0.2  # the ends of some parked cars
    seen = find_surfaces(renderer, shot, lit, kind)
    light = night.ambient * MOON * (0.75 - 0.25 * seen.normal[:, 1:2])
    for lamp in lamps:
        light += kind * LAMP * from_lamp(seen.point, seen.normal, lamp)
    street, eye = renderer.scene.street, shot.view.pose[:3, 3]
    light += XENON * BEAM * from_headlights(seen.point, seen.normal, eye, street.yaw(eye[2]))
    out = night.ambient * dark_sky(shot)
    out[seen.where] = seen.albedo * light + seen.glow
    image = renderer.shrink(out.reshape(*shot.seen.prim.shape, 3).astype(np.float32))
    return to_encoded(add_sensor_noise(add_bloom(image), night.photons, night.read, rng))


def lamp_positions(geom: Geometry) -> np.ndarray:
    """Middles of the under sides of all lamp heads, (n, 3)."""
    head = (geom.tint == np.float32(LAMP_TINT)).all(1) & (geom.normal[:, 1] > 0.99)
    return geom.verts[head].mean(1)


def from_lamp(point: np.ndarray, normal: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Irradiance (n, 1) by a lamp of unit intensity that shines downwards."""
    way = lamp - point
    square = (way**2).sum(1)
    unit = way / np.sqrt(square)[:, None]
    down = np.maximum(-unit[:, 1], 0)  # of the ray as the lamp sends it; y points down
    facing = np.maximum((unit * normal).sum(1), 0)
    near = np.clip(2 - 2 * np.sqrt(square) / REACH, 0, 1)
    return (facing * (0.12 + 0.88 * down) * (down > 0) * near / (square + 0.3))[:, None]


def from_headlights(
    point: np.ndarray, normal: np.ndarray, eye: np.ndarray, heading: float
) -> np.ndarray:
    """Irradiance (n, 1) by two low beams of unit intensity under the camera, cut off above."""
    ahead = np.array([np.sin(heading), 0.0, np.cos(heading)])
    right = np.array([np.cos(heading), 0.0, -np.sin(heading)])
    total = np.zeros(len(point))
    for side in (-0.6, 0.6):
        lamp = eye + side * right + 0.4 * ahead + (0, CAMERA_HEIGHT - 0.65, 0)
        way = point - lamp
        square = (way**2).sum(1)
        along, aside = way @ ahead, way @ right
        turn = np.arctan2(aside, along)
        rise = np.arctan2(-way[:, 1], np.hypot(along, aside))
        above = 1 / (1 + np.exp((rise + 0.012) / 0.008))
        beam = np.exp(-0.5 * (turn / 0.33) ** 2) * (0.06 + 0.94 * above) * (along > 0)
        beam *= np.exp(-0.5 * (np.minimum(rise + 0.03, 0) / 0.12) ** 2)
        facing = np.maximum(-(way * normal).sum(1) / np.sqrt(square), 0)
        total += beam * facing / (square + 0.3)
    return total[:, None]


def dark_sky(shot: Shot) -> np.ndarray:
    """Light of the sky (h * w, 3) for an ambient of 1: brighter towards the horizon."""
    rays = shot.view.rays() @ shot.view.pose[:3, :3].T
    height = np.arctan2(-rays[:, 1], np.hypot(rays[:, 0], rays[:, 2]))
    near = np.exp(-np.maximum(height, 0) / 0.25)[:, None]
    return 0.25 * MOON + near * np.array([0.5, 0.4, 0.32])


def find_surfaces(
    renderer: FrameRenderer, shot: Shot, lit: np.ndarray, lamp: np.ndarray
) -> Surfaces:
    """All samples that are no sky.

    Args:
        renderer: Of the street.
        shot: What is visible.
        lit: Whether the lamps of a car show that are on a quad, (N,).
        lamp: Colour of the street lamps.
    """
    geom, view, prim, rays = shot.geom, shot.view, shot.seen.prim.ravel(), shot.view.rays()
    count, where = len(geom.verts), np.flatnonzero(prim >= 0)
    depth = np.ones(prim.size)
    depth[where] = 1 / shot.seen.inv_z.ravel()[where]
    normal, albedo, glow = np.zeros((3, prim.size, 3))
    quads, balls = where[prim[where] < count], where[prim[where] >= count]
    own = prim[quads]
    uv, foot = texture_coordinates(geom, view, own, rays[quads], depth[quads])
    texture = by_material(renderer.scene.textures, geom.material[own], uv, foot)
    normal[quads] = geom.normal[own]
    albedo[quads] = to_linear(np.minimum(texture * geom.tint[own], 1))
    glow[quads] = _glow(renderer, geom, own, uv, texture, lit, lamp)
    ball = prim[balls] - count
    _, normal[balls], texture = renderer.shader.ball_surface(
        geom, view, ball, rays[balls], depth[balls]
    )
    albedo[balls] = to_linear(np.minimum(texture * geom.e_tint[ball], 1))
    point = (rays[where] * depth[where, None]) @ view.pose[:3, :3].T + view.pose[:3, 3]
    return Surfaces(where, point, normal[where], albedo[where], glow[where])


def _glow(
    renderer: FrameRenderer,
    geom: Geometry,
    quad: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    lit: np.ndarray,
    lamp: np.ndarray,
) -> np.ndarray:
    """Light (n, 3) that surfaces send by themselves: lamp heads, lamps of cars, shop windows."""
    out = np.zeros((quad.size, 3), np.float32)
    head = (geom.tint == np.float32(LAMP_TINT)).all(1)
    out[head[quad]] = GLOW * lamp
    material = np.array(renderer.scene.names)[geom.material][quad]
    inside = np.zeros(quad.size, bool)
    for left, right, top, bottom in CAR_LAMPS:
        inside |= (uv[:, 0] > left) & (uv[:, 0] < right) & (uv[:, 1] > top) & (uv[:, 1] < bottom)
    on = inside & lit[quad]
    out[on & (material == 'car_front')] = GLOW * XENON
    out[on & (material == 'car_rear')] = (6.0, 0.25, 0.15)
    # every other shop has its lights on; which one hangs on where it is on the texture
    shop = np.char.startswith(material, 'shops')
    pane = (uv[:, 0] * 4) % 1
    window = shop & (pane > 0.08) & (pane < 0.92) & (uv[:, 1] > 0.3) & (uv[:, 1] < 0.82)
    window &= (np.floor(uv[:, 0] * 4) + quad) % 3 == 0
    out[window] += 0.5 * to_linear(texture[window] + 0.15) * (1.0, 0.85, 0.6)
    return out


def add_bloom(linear: np.ndarray) -> np.ndarray:
    """What a lens scatters of light that is too bright for the sensor, (H, W, 3)."""
    excess = np.minimum(np.maximum(linear - 1, 0), GLOW).astype(np.float32)
    width = linear.shape[1]
    for share, weight in ((0.004, 0.35), (0.02, 0.25)):
        linear = linear + weight * cv2.GaussianBlur(excess, (0, 0), share * width)
    return linear

"""Rain: clouds, a road that mirrors the street, and streaks of drops at their depths."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import geometry as g
from .frames import FrameRenderer, Shot
from .light import add_fog, overcast, to_encoded, to_linear
from .textures import noise, remap_flat

FALL = 9.0  # metres per second
DROP = 0.006  # metres, with the light around it
STREAK = 0.5  # how much of what is behind a drop it hides
_TILE = 16.0  # metres of the pattern of puddles
_FLIP = np.diag([1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Rain:
    """How hard it rains.

    Attributes:
        wet: Share of the ground under a film of water.
        drops: Drops per cubic metre that are large enough to be seen.
        exposure: Seconds.
        veil: Extinction of the far drops in 1/m.
        grey: Brightness of the clouds, encoded.
    """

    wet: float
    drops: float
    exposure: float
    veil: float
    grey: float


def draw_rain(
    renderer: FrameRenderer, index: int, rain: Rain, rng: np.random.Generator
) -> np.ndarray:
    """The street in rain as a camera encodes it, (H, W, 3) in [0, 1]."""
    shot = renderer.shot(index)
    light = overcast(0.05, rain.grey / 0.62, rain.grey)
    radiance = to_linear(renderer.encoded(shot, light))
    mirrored = to_linear(renderer.encoded(mirrored_shot(renderer, shot, index), light))[::-1]
    radiance = wet_ground(shot, radiance, mirrored, rain.wet, rng)
    sky = to_linear(light.dome[0])
    distance = shot.distance()
    radiance = add_fog(radiance, distance, rain.veil, sky)
    image = renderer.shrink(radiance.astype(np.float32))
    near = renderer.shrink(np.minimum(distance, 1e3).astype(np.float32))
    return to_encoded(add_streaks(image, near, renderer, rain, sky, rng))


def mirrored_shot(renderer: FrameRenderer, shot: Shot, index: int) -> Shot:
    """What the road's plane mirrors: seen from below the ground, with its rows upside down."""
    pose = shot.view.pose.copy()
    # A mirrored world seen by a mirrored camera: turned twice, it is a rotation again.
    pose[:3, :3] = _FLIP @ pose[:3, :3] @ _FLIP
    pose[1, 3] = -pose[1, 3]
    return renderer.shot(index, pose)


def fresnel(cosine: np.ndarray) -> np.ndarray:
    """Share of the light that water mirrors, by the cosine to its normal (Schlick)."""
    return 0.02 + 0.98 * (1 - cosine) ** 5


def wet_ground(
    shot: Shot,
    radiance: np.ndarray,
    mirrored: np.ndarray,
    wet: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Road and sidewalks under water: darker, and mirrors at a grazing angle, (h, w, 3)."""
    labels = np.concatenate([shot.geom.label, shot.geom.e_label, [g.SKY]])[shot.seen.prim]
    upward = np.append(shot.geom.normal[:, 1] < -0.99, np.zeros(len(shot.geom.centre) + 1, bool))
    ground = np.isin(labels, (g.ROAD, g.SIDEWALK)) & upward[shot.seen.prim]
    rays = shot.view.rays() @ shot.view.pose[:3, :3].T
    cosine = rays[:, 1] / np.linalg.norm(rays, axis=1)
    depth = 1 / np.maximum(shot.seen.inv_z.ravel(), 1e-6)
    point = rays * depth[:, None] + shot.view.pose[:3, 3]
    # Water gathers in hollows a few metres wide; between them the ground is damp.
    field = noise(rng, (256, 256), (_TILE, _TILE), (0.8, 8.0), 1.2)
    level = np.sort(field.ravel())[min(int((1 - wet) * field.size), field.size - 1)]
    place = (point[:, [0, 2]] % _TILE) * (256 / _TILE)
    height = remap_flat(np.pad(field, ((0, 1), (0, 1)), mode='wrap'), place[:, 0], place[:, 1])
    film = 1 / (1 + np.exp(-(height - level) / 0.15))
    film = (film * ground.ravel()).reshape(ground.shape)
    # Ripples draw what is mirrored out along the line of sight.
    mirrored = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=0.8, sigmaY=mirrored.shape[0] / 90)
    share = (film * fresnel(np.clip(cosine, 0, 1)).reshape(ground.shape))[..., None]
    dark = 1 - ground * (0.25 + 0.3 * film)
    return (1 - share) * radiance * dark[..., None] + share * mirrored


def add_streaks(
    linear: np.ndarray,
    distance: np.ndarray,
    renderer: FrameRenderer,
    rain: Rain,
    sky: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Falling drops between the camera and the surfaces, (H, W, 3).

    Args:
        linear: The street, (H, W, 3).
        distance: Of the surfaces, metres, (H, W).
        renderer: Has the intrinsics.
        rain: How hard it rains.
        sky: What drops show: light from a wide angle above.
        rng: Places the drops.
    """
    cam, slant = renderer.cam, rng.normal(0, 0.08)
    edges = np.geomspace(1.0, 16.0, 9)
    for low, high in zip(edges[:-1][::-1], edges[1:][::-1], strict=True):
        middle = (low + high) / 2
        area = (cam.width / cam.fx) * (cam.height / cam.fx) * middle**2
        count = rng.poisson(rain.drops * area * (high - low))
        length = FALL * rain.exposure * cam.fx / middle
        width = DROP * cam.fx / middle
        layer = np.zeros((cam.height, cam.width), np.uint8)
        for x, y in rng.uniform((0, -length), (cam.width, cam.height), (count, 2)):
            ends = np.rint(16 * np.array([x, y, x + slant * length, y + length])).astype(int)
            start, end = tuple(map(int, ends[:2])), tuple(map(int, ends[2:]))
            cv2.line(layer, start, end, 255, 1, cv2.LINE_AA, 4)
        # A drop is wider than its core is bright, and covers part of a pixel when it is far.
        alpha = (layer / 255.0 * STREAK * min(width, 1.0) * (distance > middle))[..., None]
        linear = linear + alpha * (1.6 * sky - linear)
    return linear

"""Colours: textured surfaces under sun, sky light, cast shadows and a mild haze."""

from __future__ import annotations

import cv2
import numpy as np

from . import geometry as g
from .geometry import Geometry
from .light import DAY, Light
from .raycast import GBuffer, View, dominant_plane, plane_coefficients
from .scene import Scene
from .street import CROSS_ROAD, CROSS_WALK
from .textures import Texture, remap_flat

HAZE_METRES = 900.0
TONE = 0.8
_CELL = 0.125
_HALF_WIDTH = 32.0


class ShadowMap:
    """Sun and sky visibility of the ground, drawn as projected outlines.

    Args:
        scene: The street; only its static geometry is drawn up front.
    """

    def __init__(self, scene: Scene) -> None:
        self.start = scene.street.knots[0]
        self.sun = scene.sun
        # The road across the end is lit too.
        rows = round((scene.street.end + CROSS_ROAD + CROSS_WALK - self.start) / _CELL)
        shape = (rows, round(2 * _HALF_WIDTH / _CELL))
        self.base = [
            self._cover(scene.static, shape, (0, 0), self.sun, False),
            self._cover(scene.static, shape, (0, 0), np.array([0, -1.0, 0]), True),
        ]

    def _cover(
        self,
        geom: Geometry,
        shape: tuple[int, int],
        corner: tuple[int, int],
        light: np.ndarray,
        contact: bool,
    ) -> np.ndarray:
        """Visibility (rows, cols) in uint8 of a window whose corner is (row, column)."""
        mask = np.zeros(shape, np.uint8)
        keep = ~np.isin(geom.label, (g.ROAD, g.SIDEWALK, g.TERRAIN))
        if contact:
            keep &= np.isin(geom.label, (g.CAR, g.BUILDING, g.WALL, g.FENCE))
        for quad in geom.verts[keep]:
            cv2.fillConvexPoly(mask, self._cells(quad, light, corner), 255, cv2.LINE_AA, 4)
        if not contact:
            angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
            side = np.cross(light, (0.0, 0.0, 1.0))
            side /= np.linalg.norm(side)
            other = np.cross(light, side)
            ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
            for centre, radius in zip(geom.centre, geom.radius, strict=True):
                outline = centre + ring * radius
                cv2.fillConvexPoly(mask, self._cells(outline, light, corner), 255, cv2.LINE_AA, 4)
        mask = cv2.GaussianBlur(mask, (0, 0), 3.2 if contact else 1.1)
        return 255 - mask

    def _cells(self, points: np.ndarray, light: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
        ground = points - light * (points[:, 1:2] / light[1])
        cols = (ground[:, 0] + _HALF_WIDTH) / _CELL - corner[1] - 0.5
        rows = (ground[:, 2] - self.start) / _CELL - corner[0] - 0.5
        cells = np.stack([cols, rows], 1)
        return np.rint(np.clip(cells, -4000, 60000) * 16).astype(np.int32)

    def levels(self, movers: list[Geometry], count: int = 6) -> list[np.ndarray]:
        """Visibility maps with the moving cars added, halved in z from level to level.

        Returns:
            Arrays (rows / 2**k, cols, 3) of uint8: sun, sky, unused.
        """
        maps = [m.copy() for m in self.base]
        for car in movers:
            middle = car.verts.reshape(-1, 3).mean(0)
            row = int((middle[2] - self.start - 7) / _CELL)
            col = int((middle[0] + _HALF_WIDTH - 7) / _CELL)
            top, left = max(row, 0), max(col, 0)
            for k, light in enumerate((self.sun, np.array([0, -1.0, 0]))):
                window = maps[k][top : max(row + 112, 0), left : max(col + 112, 0)]
                if window.size:
                    cover = self._cover(car, window.shape, (top, left), light, k == 1)
                    np.minimum(window, cover, out=window)
        level = np.dstack([*maps, maps[0]])
        out = [level]
        for _ in range(count - 1):
            level = cv2.resize(
                level, (level.shape[1], level.shape[0] // 2), interpolation=cv2.INTER_AREA
            )
            out.append(level)
        return out

    def sample(
        self, levels: list[np.ndarray], x: np.ndarray, z: np.ndarray, foot: np.ndarray
    ) -> np.ndarray:
        """Sun and sky visibility in [0, 1], (n, 2), at ground points.

        Args:
            levels: Result of :meth:`levels`.
            x: World x, (n,) metres.
            z: World z, (n,) metres.
            foot: Length of the pixel's footprint along z, (n,) metres.
        """
        level = np.clip(np.log2(np.maximum(foot / _CELL, 1.0)), 0, len(levels) - 1)
        out = np.empty((x.size, 2), np.float32)
        col = (x + _HALF_WIDTH) / _CELL - 0.5
        row = (z - self.start) / _CELL
        for k in range(len(levels)):
            near = np.flatnonzero(np.abs(level - k) < 1)
            if near.size:
                weight = (1 - np.abs(level[near] - k)).astype(np.float32)
                value = remap_flat(levels[k], col[near], row[near] / 2**k - 0.5)[:, :2]
                first = k == np.floor(level[near])
                out[near] = np.where(first[:, None], 0, out[near]) + value * weight[:, None]
        return out * np.float32(1 / 255)


class Shader:
    """Shades the visible samples of one scene.

    Args:
        scene: The street.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.shadows = ShadowMap(scene)

    def shade(
        self,
        geom: Geometry,
        movers: list[Geometry],
        view: View,
        buf: GBuffer,
        light: Light = DAY,
    ) -> np.ndarray:
        """Returns the RGB image in [0, 1] of all samples, float32 (h, w, 3).

        Args:
            geom: Static and moving geometry together, as it was cast.
            movers: The moving cars, for their shadows.
            view: Samples and pose.
            buf: Visible surfaces.
            light: What shines.
        """
        prim, rays = buf.prim.ravel(), view.rays()
        out = np.empty((prim.size, 3), np.float32)
        count = len(geom.verts)
        sky, solid = np.flatnonzero(prim < 0), np.flatnonzero(prim >= 0)
        dome = self.scene.sky if light.dome is None else light.dome
        out[sky] = self._sky(rays[sky] @ view.pose[:3, :3].T, view, dome, light.clouds)
        quads, balls = solid[prim[solid] < count], solid[prim[solid] >= count]
        z = np.ones(prim.size)
        z[solid] = 1 / buf.inv_z.ravel()[solid]
        levels = self.shadows.levels(movers)
        out[quads] = self._quads(geom, view, prim[quads], rays[quads], z[quads], levels, light)
        out[balls] = self._balls(geom, view, prim[balls] - count, rays[balls], z[balls], light)
        # A fixed tone curve lifts the shade; it is the same everywhere and in every frame.
        out[solid] = np.minimum(out[solid], 1) ** np.float32(TONE)
        fade = (1 - np.exp(-z[solid] / HAZE_METRES)).astype(np.float32)[:, None]
        out[solid] += fade * (dome[0].astype(np.float32) - out[solid])
        return np.clip(out, 0, 1).reshape(*buf.prim.shape, 3)

    def _sky(self, rays: np.ndarray, view: View, dome: np.ndarray, clouds: float) -> np.ndarray:
        flat = np.hypot(rays[:, 0], rays[:, 2])
        height = np.rad2deg(np.arctan2(-rays[:, 1], flat))
        turn = np.rad2deg(np.arctan2(rays[:, 0], rays[:, 2]))
        step = np.rad2deg(view.us[1] - view.us[0]) / view.cam.fx
        tile = self.scene.clouds.metres
        foot = np.full(turn.shape, step)
        cover = self.scene.clouds.sample(
            turn / tile[0], -height / tile[1], foot / tile[0], foot / tile[1]
        )
        blend = np.clip(height / 22, 0, 1)[:, None] ** 0.7
        colour = dome[0] + blend * (dome[1] - dome[0])
        amount = np.clip((cover - 0.42) * 2.2, 0, 1) * np.clip(0.25 + blend * 1.6, 0, 1)
        white = (0.80 + 0.2 * cover) * np.float32(clouds)
        return (colour + amount * (white - colour)).astype(np.float32)

    def _light(
        self, normal: np.ndarray, tint: np.ndarray, light: Light
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour factors (n, 3) of the sun and of the sky for normals and tints (n, 3)."""
        facing = np.maximum(normal @ self.scene.sun, 0).astype(np.float32)
        upward = (0.72 - 0.28 * normal[:, 1]).astype(np.float32)
        return tint * facing[:, None] * light.sun, tint * upward[:, None] * light.sky

    def _quads(
        self,
        geom: Geometry,
        view: View,
        prim: np.ndarray,
        rays: np.ndarray,
        z: np.ndarray,
        levels: list[np.ndarray],
        light: Light,
    ) -> np.ndarray:
        rot, eye = view.pose[:3, :3], view.pose[:3, 3]
        uv, foot = texture_coordinates(geom, view, prim, rays, z)
        tex = by_material(self.scene.textures, geom.material[prim], uv, foot)
        sun = np.ones(prim.size, np.float32)
        # Walls darken towards the ground they stand on, as the street blocks half of the sky.
        height = -(z * (rays @ rot[1]) + eye[1])
        sky = (0.72 + 0.28 * np.clip(height / 1.2, 0, 1)).astype(np.float32)
        flat = (geom.normal[:, 1] < -0.99) & (geom.verts[..., 1].max(1) > -0.2)
        floor = np.flatnonzero(flat[prim])
        x, ahead = (z[floor] * (rays[floor] @ rot[i]) + eye[i] for i in (0, 2))
        along = z[floor] ** 2 * (view.vs[1] - view.vs[0]) / (view.cam.fx * -eye[1])
        seen = self.shadows.sample(levels, x, ahead, along)
        sun[floor] = seen[:, 0]
        sky[floor] = 0.35 + 0.65 * seen[:, 1]
        direct, ambient = self._light(geom.normal, geom.tint, light)
        factor = direct[prim] * sun[:, None]
        factor += ambient[prim] * sky[:, None]
        return tex * factor

    def _balls(
        self,
        geom: Geometry,
        view: View,
        ball: np.ndarray,
        rays: np.ndarray,
        z: np.ndarray,
        light: Light,
    ) -> np.ndarray:
        offset, normal, tex = self.ball_surface(geom, view, ball, rays, z)
        sky = (0.78 - 0.22 * offset[:, 1]).astype(np.float32)
        direct, ambient = self._light(normal, geom.e_tint[ball], light)
        return tex * (direct + ambient * sky[:, None])

    def ball_surface(
        self, geom: Geometry, view: View, ball: np.ndarray, rays: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offset from the centre in radii, normal and texture colour of ellipsoids, (n, 3) each."""
        point = (rays * z[:, None]) @ view.pose[:3, :3].T + view.pose[:3, 3]
        offset = (point - geom.centre[ball]) / geom.radius[ball]
        normal = offset / geom.radius[ball]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        first, second = dominant_plane(point, normal)
        step = z * (view.us[1] - view.us[0]) / view.cam.fx
        metres = np.array([t.metres for t in self.scene.textures])[geom.e_material[ball]]
        uv = np.stack([first, second], 1) / metres
        tex = by_material(
            self.scene.textures, geom.e_material[ball], uv, 1.5 * step[:, None] / metres
        )
        return offset, normal, tex


def texture_coordinates(
    geom: Geometry, view: View, prim: np.ndarray, rays: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tile coordinates (n, 2) and exact pixel footprints in tiles (n, 2)."""
    rot, eye = view.pose[:3, :3], view.pose[:3, 3]
    plane = plane_coefficients((geom.verts - eye) @ rot)[:, :2]
    turned = geom.uv[..., :3] @ rot
    shift = geom.uv[..., :3] @ eye + geom.uv[..., 3]
    step = (view.us[1] - view.us[0]) / view.cam.fx
    tilt = plane[prim]
    uv, foot = np.empty((2, prim.size, 2))
    for k in range(2):
        row = turned[:, k][prim]
        along = (row * rays).sum(1)
        uv[:, k] = z * along + shift[prim, k]
        # d(z * along) by the product rule, with dz = -z**2 d(1/z).
        dx = row[:, 0] - z * along * tilt[:, 0]
        dy = row[:, 1] - z * along * tilt[:, 1]
        foot[:, k] = step * z * np.hypot(dx, dy)
    return uv, foot


def by_material(
    textures: list[Texture], material: np.ndarray, uv: np.ndarray, foot: np.ndarray
) -> np.ndarray:
    """Looks up each sample in the texture of its material; returns RGB (n, 3)."""
    out = np.empty((material.size, 3), np.float32)
    order = np.argsort(material, kind='stable')
    bounds = np.searchsorted(material[order], np.arange(len(textures) + 1))
    for k, texture in enumerate(textures):
        pick = order[bounds[k] : bounds[k + 1]]
        if pick.size:
            out[pick] = texture.sample(uv[pick, 0], uv[pick, 1], foot[pick, 0], foot[pick, 1])
    return out

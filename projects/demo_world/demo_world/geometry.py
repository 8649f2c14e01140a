"""Static and moving geometry: planar quads and axis-aligned ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN = range(8)
VEGETATION, TERRAIN, SKY, PERSON, RIDER, CAR = range(8, 14)


@dataclass
class Geometry:
    """Arrays of primitives; world axes are x right, y down, z forward, road surface y = 0.

    Attributes:
        verts: Quad corners, (N, 4, 3) metres, counter-clockwise about the outward normal.
        normal: Outward unit normals, (N, 3).
        uv: Rows of the affine map from a world point to tile coordinates, (N, 2, 4).
        material: Material index of each quad, (N,).
        label: Train id of each quad, (N,).
        tint: Colour factor of each quad, (N, 3).
        centre: Ellipsoid centres, (M, 3).
        radius: Ellipsoid radii, (M, 3).
        e_material: Material index of each ellipsoid, (M,).
        e_label: Train id of each ellipsoid, (M,).
        e_tint: Colour factor of each ellipsoid, (M, 3).
        e_holes: Whether the ellipsoid is a leafy shell with holes, (M,).
    """

    verts: np.ndarray
    normal: np.ndarray
    uv: np.ndarray
    material: np.ndarray
    label: np.ndarray
    tint: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    e_material: np.ndarray
    e_label: np.ndarray
    e_tint: np.ndarray
    e_holes: np.ndarray

    def placed(self, pose: np.ndarray) -> Geometry:
        """Returns a copy moved by a (4, 4) pose; ellipsoids keep their axes."""
        rot, shift = pose[:3, :3], pose[:3, 3]
        uv = self.uv.copy()
        # The texture map is a row vector on points, so it is carried by the inverse motion.
        uv[..., :3] = self.uv[..., :3] @ rot.T
        uv[..., 3] = self.uv[..., 3] - uv[..., :3] @ shift
        out = Geometry(**{f.name: getattr(self, f.name) for f in fields(self)})
        out.verts = self.verts @ rot.T + shift
        out.normal = self.normal @ rot.T
        out.uv = uv
        out.centre = self.centre @ rot.T + shift
        return out

    @staticmethod
    def joined(parts: list[Geometry]) -> Geometry:
        """Concatenates several geometries."""
        return Geometry(
            **{
                f.name: np.concatenate([getattr(p, f.name) for p in parts])
                for f in fields(Geometry)
            }
        )


def yaw_frame(x: float, z: float, yaw: float, y: float = 0.0) -> np.ndarray:
    """Pose (4, 4) standing on the ground at (x, y, z), turned ``yaw`` radians to the right."""
    pose = np.eye(4)
    c, s = np.cos(yaw), np.sin(yaw)
    pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    pose[:3, 3] = [x, y, z]
    return pose


class Builder:
    """Collects primitives; each method takes coordinates in the frame set by ``frame``.

    Args:
        tiles: Tile size (width, height) in metres of each material, by name; the order of the
            names gives the material indices.
    """

    def __init__(self, tiles: dict[str, tuple[float, float]]) -> None:
        self.tiles = tiles
        self.index = {name: i for i, name in enumerate(tiles)}
        self.frame = np.eye(4)
        self._quads: list[tuple] = []
        self._balls: list[tuple] = []

    def quad(
        self,
        corners: np.ndarray,
        material: str,
        label: int,
        tint=(1.0, 1.0, 1.0),
        fit: bool = False,
        offset: tuple[float, float] = (0.0, 0.0),
        span: float = 1.0,
    ) -> None:
        """Adds a planar convex quad.

        Args:
            corners: Top-left, top-right, bottom-right, bottom-left as seen from outside, (4, 3).
            material: Material name.
            label: Train id.
            tint: Colour factor.
            fit: Stretches one tile over the quad instead of using metres.
            offset: Texture offset in tiles.
            span: Share of the tile's width that a fitted quad shows.
        """
        p = np.asarray(corners, float) @ self.frame[:3, :3].T + self.frame[:3, 3]
        normal = -np.cross(p[2] - p[0], p[3] - p[1])
        normal /= np.linalg.norm(normal)
        across = p[1] - p[0] if np.linalg.norm(p[1] - p[0]) > 1e-6 else p[2] - p[3]
        width = np.linalg.norm(across)
        eu = across / width
        ev = np.cross(eu, -normal)
        ev = ev if ev @ (p[3] - p[0]) > 0 else -ev
        height = abs((p[3] - p[0]) @ ev)
        size = (width / span, height) if fit else self.tiles[material]
        rows = []
        for axis, length, shift in ((eu, size[0], offset[0]), (ev, size[1], offset[1])):
            rows.append([*(axis / length), shift - axis @ p[0] / length])
        # Reversed to run counter-clockwise about the outward normal.
        self._quads.append((p[::-1], normal, rows, self.index[material], label, tint))

    def mapped(self, corners: np.ndarray, material: str, label: int, rows: np.ndarray) -> None:
        """Adds a world-frame quad with its own texture map ``rows`` (2, 4), in tiles."""
        p = np.asarray(corners, float)
        normal = -np.cross(p[2] - p[0], p[3] - p[1])
        normal /= np.linalg.norm(normal)
        self._quads.append((p[::-1], normal, rows, self.index[material], label, (1, 1, 1)))

    def box(
        self,
        low,
        high,
        material: str | dict[str, str],
        label: int,
        tint=(1.0, 1.0, 1.0),
        fit: bool = False,
        skip: str = '',
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Adds a box between two corners.

        Args:
            low: Smallest (x, y, z); y points down, so this is the top.
            high: Largest (x, y, z).
            material: One name, or names by face letter (l, r, f, b, t) with '*' for the rest.
            label: Train id.
            tint: Colour factor.
            fit: Stretches one tile over each face.
            skip: Letters of the faces to leave out.
            offset: Texture offset in tiles.
        """
        (a, t, n), (b, g, f) = low, high
        faces = {
            'b': [(a, t, n), (b, t, n), (b, g, n), (a, g, n)],
            'f': [(b, t, f), (a, t, f), (a, g, f), (b, g, f)],
            'l': [(a, t, f), (a, t, n), (a, g, n), (a, g, f)],
            'r': [(b, t, n), (b, t, f), (b, g, f), (b, g, n)],
            't': [(a, t, f), (b, t, f), (b, t, n), (a, t, n)],
            'u': [(a, g, n), (b, g, n), (b, g, f), (a, g, f)],
        }
        names = {'*': material} if isinstance(material, str) else material
        for key, corners in faces.items():
            if key not in skip:
                name = names.get(key, names['*'])
                self.quad(corners, name, label, tint, fit, offset)

    def ellipsoid(
        self, centre, radius, material: str, label: int, tint=(1.0, 1.0, 1.0), holes: bool = False
    ) -> None:
        """Adds an ellipsoid whose axes stay parallel to the world's."""
        point = self.frame[:3, :3] @ np.asarray(centre, float) + self.frame[:3, 3]
        self._balls.append((point, radius, self.index[material], label, tint, holes))

    def build(self) -> Geometry:
        """Returns everything added so far as arrays."""
        empty_q = (
            np.zeros((0, 4, 3)),
            np.zeros((0, 3)),
            np.zeros((0, 2, 4)),
            [],
            [],
            np.zeros((0, 3)),
        )
        empty_e = (np.zeros((0, 3)), np.zeros((0, 3)), [], [], np.zeros((0, 3)), [])
        q = list(zip(*self._quads, strict=True)) if self._quads else empty_q
        e = list(zip(*self._balls, strict=True)) if self._balls else empty_e
        kinds = (
            float,
            float,
            float,
            np.int32,
            np.uint8,
            np.float32,
            float,
            float,
            np.int32,
            np.uint8,
            np.float32,
            bool,
        )
        return Geometry(*(np.asarray(a, k) for a, k in zip([*q, *e], kinds, strict=True)))

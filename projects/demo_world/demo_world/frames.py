"""Renders one frame of a scene: image, depth and labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import geometry as g
from .camera import Intrinsics
from .geometry import Geometry
from .raycast import GBuffer, View, cast, dominant_plane
from .scene import Scene
from .shading import Shader

SUPERSAMPLE = 2
_HOLE_TILE = 5.0


@dataclass
class Frame:
    """One rendered frame.

    Attributes:
        image: RGB, uint8 (H, W, 3).
        depth: Exact z-depth at the pixel centres in metres, 0 for sky, float64 (H, W).
        labels: Train ids at the pixel centres, uint8 (H, W).
    """

    image: np.ndarray
    depth: np.ndarray
    labels: np.ndarray


class FrameRenderer:
    """Renders frames of one scene.

    Args:
        scene: The street.
        cam: Intrinsics.
    """

    def __init__(self, scene: Scene, cam: Intrinsics) -> None:
        self.scene = scene
        self.cam = cam
        self.shader = Shader(scene)
        names = [t for t in scene.textures if t.metres == (_HOLE_TILE, _HOLE_TILE)]
        self._leaf = names[0]

    def _leaf_holes(self, points: np.ndarray, normals: np.ndarray, distance: float) -> np.ndarray:
        first, second = dominant_plane(points, normals)
        # One footprint per crown, and the same for every grid, keeps depth and image agreed.
        foot = distance / self.cam.fx / _HOLE_TILE
        scale = 0.83 / _HOLE_TILE
        return self._leaf.green(first * scale, second * scale, foot) < 0.40

    def _cast(self, geom: Geometry, pose: np.ndarray, supersample: int) -> tuple[View, GBuffer]:
        view = View(self.cam, pose, *self.cam.sample_grid(supersample))
        return view, cast(geom, view, self._leaf_holes)

    def render(self, index: int, pose: np.ndarray | None = None) -> Frame:
        """Renders the frame at time ``index``.

        Args:
            index: Frame number, which places the moving cars.
            pose: Camera-to-world, (4, 4); the drive's own pose by default.
        """
        geom, movers = self._world(index)
        pose = self.scene.poses[index] if pose is None else pose
        # Pixel centres are not among the fine samples, so depth takes a pass of its own.
        _, exact = self._cast(geom, pose, 1)
        hit = exact.prim >= 0
        depth = np.where(hit, 1 / np.where(hit, exact.inv_z, 1.0), 0.0)
        labels = np.concatenate([geom.label, geom.e_label, [g.SKY]]).astype(np.uint8)[exact.prim]
        return Frame(self._image(geom, movers, pose), depth, labels)

    def image(self, index: int, pose: np.ndarray) -> np.ndarray:
        """Renders only the RGB image, uint8 (H, W, 3), from a pose (4, 4)."""
        return self._image(*self._world(index), pose)

    def _world(self, index: int) -> tuple[Geometry, list[Geometry]]:
        movers = self.scene.moving(index)
        return Geometry.joined([self.scene.static, *movers]), movers

    def _image(self, geom: Geometry, movers: list[Geometry], pose: np.ndarray) -> np.ndarray:
        view, fine = self._cast(geom, pose, SUPERSAMPLE)
        image = self.shader.shade(geom, movers, view, fine)
        image = cv2.resize(image, (self.cam.width, self.cam.height), interpolation=cv2.INTER_AREA)
        return np.rint(image * 255).astype(np.uint8)

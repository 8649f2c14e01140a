"""Renders one frame of a scene: image, depth and labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import geometry as g
from .camera import Intrinsics
from .geometry import Geometry
from .light import DAY, Light
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


@dataclass
class Shot:
    """What one image is made of.

    Attributes:
        geom: Static and moving geometry at the time of the image.
        movers: The moving cars.
        view: Samples and pose.
        seen: Visible surfaces.
    """

    geom: Geometry
    movers: list[Geometry]
    view: View
    seen: GBuffer

    def distance(self) -> np.ndarray:
        """Distance along each sample's ray in metres, infinite for the sky, (h, w)."""
        length = np.linalg.norm(self.view.rays(), axis=1).reshape(self.seen.prim.shape)
        solid = self.seen.prim >= 0
        return np.where(solid, length / np.where(solid, self.seen.inv_z, 1.0), np.inf)


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

    def shot(
        self, index: float, pose: np.ndarray | None = None, supersample: int = SUPERSAMPLE
    ) -> Shot:
        """Finds what is visible at time ``index``.

        Args:
            index: Frame number, which places the moving cars; it may lie between two frames.
            pose: Camera-to-world, (4, 4); the drive's own pose by default.
            supersample: Samples per pixel in each direction.
        """
        movers = self.scene.moving(index)
        geom = Geometry.joined([self.scene.static, *movers])
        pose = self.scene.poses[int(index)] if pose is None else pose
        view = View(self.cam, pose, *self.cam.sample_grid(supersample))
        return Shot(geom, movers, view, cast(geom, view, self._leaf_holes))

    def render(self, index: int, pose: np.ndarray | None = None) -> Frame:
        """Renders the frame at time ``index``.

        Args:
            index: Frame number, which places the moving cars.
            pose: Camera-to-world, (4, 4); the drive's own pose by default.
        """
        pose = self.scene.poses[index] if pose is None else pose
        # Pixel centres are not among the fine samples, so depth takes a pass of its own.
        shot = self.shot(index, pose, 1)
        geom, exact = shot.geom, shot.seen
        hit = exact.prim >= 0
        depth = np.where(hit, 1 / np.where(hit, exact.inv_z, 1.0), 0.0)
        labels = np.concatenate([geom.label, geom.e_label, [g.SKY]]).astype(np.uint8)[exact.prim]
        return Frame(self.image(index, pose), depth, labels)

    def image(self, index: int, pose: np.ndarray) -> np.ndarray:
        """Renders only the RGB image, uint8 (H, W, 3), from a pose (4, 4)."""
        image = self.shrink(self.encoded(self.shot(index, pose)))
        return np.rint(image * 255).astype(np.uint8)

    def encoded(self, shot: Shot, light: Light = DAY) -> np.ndarray:
        """Colours of all samples in [0, 1] as a camera encodes them, float32 (h, w, 3)."""
        return self.shader.shade(shot.geom, shot.movers, shot.view, shot.seen, light)

    def shrink(self, samples: np.ndarray) -> np.ndarray:
        """The mean of each pixel's samples, (H, W, 3)."""
        size = self.cam.width, self.cam.height
        return cv2.resize(samples, size, interpolation=cv2.INTER_AREA)

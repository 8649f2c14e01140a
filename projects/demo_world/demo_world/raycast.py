"""Visibility: exact ray intersections of quads and ellipsoids into a depth buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .camera import Intrinsics
from .geometry import Geometry

_NEAR = 0.15
HoleTest = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


@dataclass
class View:
    """One set of image samples seen from one pose.

    Attributes:
        cam: Intrinsics.
        pose: Camera-to-world, (4, 4).
        us: Sample columns in pixels, (w,).
        vs: Sample rows in pixels, (h,).
    """

    cam: Intrinsics
    pose: np.ndarray
    us: np.ndarray
    vs: np.ndarray

    def ray_axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns ray x (w,) and ray y (h,) of the camera-frame rays (x, y, 1)."""
        return ((self.us - self.cam.cx) / self.cam.fx, (self.vs - self.cam.cy) / self.cam.fx)

    def rays(self) -> np.ndarray:
        """Returns the camera-frame rays (x, y, 1) of all samples, rows first, (h * w, 3)."""
        x, y = np.meshgrid(*self.ray_axes())
        return np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1)


@dataclass
class GBuffer:
    """Visible surface per sample.

    Attributes:
        inv_z: Inverse z-depth in 1/m, 0 for sky, (h, w).
        prim: Quad index, or quad count + ellipsoid index, or -1 for sky, (h, w).
    """

    inv_z: np.ndarray
    prim: np.ndarray


def plane_coefficients(verts: np.ndarray) -> np.ndarray:
    """Inverse depth of each quad's plane as an affine function of the ray.

    Args:
        verts: Camera-frame corners, (N, 4, 3).

    Returns:
        Rows (a, b, c) with ``1/z = a * rx + b * ry + c``, (N, 3); all zero for quads that
        face away from the camera.
    """
    normal = np.cross(verts[:, 2] - verts[:, 0], verts[:, 3] - verts[:, 1])
    dist = (normal * verts[:, 0]).sum(1)
    facing = dist < -1e-9
    return np.where(facing[:, None], normal / np.where(facing, dist, -1.0)[:, None], 0.0)


def _clip_near(quad: np.ndarray) -> np.ndarray:
    """Clips a camera-frame polygon (n, 3) to z >= _NEAR."""
    out = []
    for p, q in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        if p[2] >= _NEAR:
            out.append(p)
        if (p[2] >= _NEAR) != (q[2] >= _NEAR):
            out.append(p + (q - p) * ((_NEAR - p[2]) / (q[2] - p[2])))
    return np.array(out).reshape(-1, 3)


def _boxes(verts: np.ndarray, view: View) -> np.ndarray:
    """Index ranges (x0, x1, y0, y1) of the samples each quad can touch, (N, 4)."""
    z = verts[..., 2]
    rays = verts[..., :2] / np.maximum(z, _NEAR)[..., None]
    low, high = rays.min(1), rays.max(1)
    for k in np.flatnonzero((z.min(1) < _NEAR) & (z.max(1) >= _NEAR)):
        part = _clip_near(verts[k])
        part = part[:, :2] / part[:, 2:]
        low[k], high[k] = part.min(0), part.max(0)
    rx, ry = view.ray_axes()
    out = np.stack(
        [
            np.searchsorted(rx, low[:, 0]),
            np.searchsorted(rx, high[:, 0], 'right'),
            np.searchsorted(ry, low[:, 1]),
            np.searchsorted(ry, high[:, 1], 'right'),
        ],
        1,
    )
    out[z.max(1) < _NEAR] = 0
    return out


def _draw_quads(geom: Geometry, view: View, buf: GBuffer) -> None:
    verts = (geom.verts - view.pose[:3, 3]) @ view.pose[:3, :3]
    plane = plane_coefficients(verts)
    box = _boxes(verts, view)
    # A ray is inside when it lies on the inner side of every plane through the eye and an edge;
    # neighbours that share an edge get exactly opposite signs, so no cracks open between them.
    edges = -np.cross(verts, np.roll(verts, -1, axis=1))
    rx, ry = view.ray_axes()
    nearest = 1 / np.maximum(verts[..., 2].min(1), _NEAR)
    visible = plane.any(1) & (box[:, 0] < box[:, 1]) & (box[:, 2] < box[:, 3])
    visible = np.flatnonzero(visible)
    # Front to back, so that most of what is hidden is skipped before any ray is tested.
    for k in visible[np.argsort(-nearest[visible], kind='stable')]:
        x0, x1, y0, y1 = box[k]
        zbuf = buf.inv_z[y0:y1, x0:x1]
        if zbuf.min() > nearest[k]:
            continue
        x, y = rx[x0:x1], ry[y0:y1, None]
        a, b, c = plane[k]
        inv_z = a * x + (b * y + c)
        hit = inv_z > zbuf
        for ea, eb, ec in edges[k]:
            hit &= ea * x + (eb * y + ec) >= 0
        np.copyto(zbuf, inv_z, where=hit)
        np.copyto(buf.prim[y0:y1, x0:x1], k, where=hit)


def _ball_boxes(centres: np.ndarray, spread: np.ndarray, view: View) -> np.ndarray:
    """Exact sample ranges (x0, x1, y0, y1) of ellipsoids, (M, 4); all zero when unseen.

    Args:
        centres: Camera-frame centres, (M, 3).
        spread: Camera-frame matrices of the squared radii, (M, 3, 3).
        view: Samples and pose.
    """
    seen = centres[:, 2] - np.sqrt(spread[:, 2, 2]) >= _NEAR
    # The outline's dual conic; a column or row touches it where the quadratic form vanishes.
    dual = spread - centres[:, :, None] * centres[:, None, :]
    ranges = []
    for k, grid in enumerate(view.ray_axes()):
        square = np.where(seen, dual[:, 2, 2], -1.0)
        root = np.sqrt(np.maximum(dual[:, k, 2] ** 2 - dual[:, k, k] * square, 0))
        ranges.append(np.searchsorted(grid, (dual[:, k, 2] + root) / square))
        ranges.append(np.searchsorted(grid, (dual[:, k, 2] - root) / square, 'right'))
    out = np.stack(ranges, 1)
    out[~seen] = 0
    return out


def dominant_plane(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World coordinates in the axis plane that each normal faces.

    Args:
        points: World points, (n, 3) metres.
        normals: World normals, (n, 3).

    Returns:
        Two coordinate arrays in metres, each (n,).
    """
    axis = np.abs(normals).argmax(1)
    first = np.where(axis == 0, points[:, 2], points[:, 0])
    second = np.where(axis == 1, points[:, 2], points[:, 1])
    # The share of the third axis keeps the two sides of a crown from mirroring each other.
    third = np.take_along_axis(points, axis[:, None], 1)[:, 0]
    return first + 0.37 * third, second + 0.21 * third


def _draw_ellipsoids(geom: Geometry, view: View, buf: GBuffer, leaf_holes: HoleTest) -> None:
    eye, rot = view.pose[:3, 3], view.pose[:3, :3]
    centres = (geom.centre - eye) @ rot
    spread = np.einsum('ji,mj,jk->mik', rot, geom.radius**2, rot)
    boxes = _ball_boxes(centres, spread, view)
    nearest = 1 / np.maximum(centres[:, 2] - np.sqrt(spread[:, 2, 2]), _NEAR)
    # In a space where the ellipsoid is the unit sphere: origin + z * (shape @ ray).
    shape = rot / geom.radius[:, :, None]
    origin = (eye - geom.centre) / geom.radius
    linear = np.einsum('mj,mji->mi', origin, shape)
    square = np.einsum('mji,mjk->mik', shape, shape)
    excess = (origin**2).sum(1) - 1
    disc_form = linear[:, :, None] * linear[:, None] - excess[:, None, None] * square
    rx, ry = view.ray_axes()
    visible = np.flatnonzero((boxes[:, 0] < boxes[:, 1]) & (boxes[:, 2] < boxes[:, 3]))
    for k in visible[np.argsort(-nearest[visible], kind='stable')]:
        x0, x1, y0, y1 = boxes[k]
        zbuf = buf.inv_z[y0:y1, x0:x1]
        if zbuf.min() > nearest[k]:
            continue
        x, y, form = rx[x0:x1], ry[y0:y1, None], disc_form[k]
        disc = (form[0, 0] * x + 2 * form[0, 2]) * x + (2 * form[0, 1] * x) * y
        disc += (form[1, 1] * y + 2 * form[1, 2]) * y + form[2, 2]
        rows, cols = np.nonzero((disc > 0) & (zbuf < nearest[k]))
        rays = np.stack([x[cols], y[rows, 0], np.ones(rows.size)], 1)
        slope = rays @ linear[k]
        depth = excess[k] / (np.sqrt(disc[rows, cols]) - slope)
        hit = (1 / depth > zbuf[rows, cols]) & (slope < 0)
        if geom.e_holes[k] and hit.any():
            unit = origin[k] + depth[hit, None] * (rays[hit] @ shape[k].T)
            point = geom.centre[k] + unit * geom.radius[k]
            hit[hit] = ~leaf_holes(point, unit / geom.radius[k], centres[k, 2])
        rows, cols = rows[hit], cols[hit]
        zbuf[rows, cols] = 1 / depth[hit]
        buf.prim[rows + y0, cols + x0] = len(geom.verts) + k


def cast(geom: Geometry, view: View, leaf_holes: HoleTest) -> GBuffer:
    """Finds the nearest surface of every sample.

    Args:
        geom: The scene at this instant.
        view: Samples and pose.
        leaf_holes: Function of world points (n, 3), normals (n, 3) and the distance of the
            ellipsoid in metres that says which points fall in a gap between leaves, (n,) bool.
    """
    shape = (len(view.vs), len(view.us))
    buf = GBuffer(np.zeros(shape), np.full(shape, -1, np.int32))
    _draw_quads(geom, view, buf)
    _draw_ellipsoids(geom, view, buf, leaf_holes)
    return buf

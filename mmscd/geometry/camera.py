"""Pinhole camera geometry. Pure functions of tensors.

Pixel centres are integers: the top left pixel is (0, 0). `K` (B, 3, 3) is in pixels of the image at
hand. Camera frame: x right, y down, z forward.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Camera = TypeVar('Camera', Tensor, np.ndarray)
# mode, padding, align_corners
_SAMPLING = ('bilinear', 'border', False)
NOT_FINITE = 'depth, pose or K is not finite: nothing can be warped by it'


def disp_to_depth(disp: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Depth of a sigmoid disparity: 1 / (1/d_max + (1/d_min - 1/d_max) disp).

    Args:
        disp: in [0, 1], any shape.
        min_depth: depth at disp = 1, metres (up to scale).
        max_depth: depth at disp = 0.
    """
    return 1 / (1 / max_depth + (1 / min_depth - 1 / max_depth) * disp)


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Homogeneous pixel coordinates (3, H W): rows u, v, 1."""
    v, u = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device),
        torch.arange(width, dtype=like.dtype, device=like.device),
        indexing='ij',
    )
    return torch.stack([u, v, torch.ones_like(u)]).reshape(3, -1)


def scale_intrinsics(K: Camera, scale_x: float, scale_y: float) -> Camera:
    """Intrinsics after a resize, half-pixel convention: fx -> fx s_x, cx -> (cx + .5) s_x - .5.

    Args:
        K: (..., 3, 3) tensor or numpy array, pixels of the image before; or P (..., 3, 4) = K T.
        scale_x: width after / width before.
        scale_y: height after / height before.
    """
    scaled = K + 0.0
    scaled[..., 0, :] = K[..., 0, :] * scale_x + K[..., 2, :] * ((scale_x - 1) / 2)
    scaled[..., 1, :] = K[..., 1, :] * scale_y + K[..., 2, :] * ((scale_y - 1) / 2)
    return scaled


def invert_intrinsics(K: Tensor) -> Tensor:
    """Inverse of K = [[fx, s, cx], [0, fy, cy], [0, 0, 1]], (..., 3, 3), in closed form: a solver
    would wait for a GPU to tell whether the matrix was singular."""
    fx, skew, cx, fy, cy = (K[..., i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2)))
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [one / fx, (0 - skew) / (fx * fy), (skew * cy / fy - cx) / fx]
    rows += [zero, one / fy, -cy / fy, zero, zero, one]
    return torch.stack(rows, -1).reshape(K.shape)


def flip_intrinsics(K: Tensor, width: int, flip: Tensor) -> Tensor:
    """Intrinsics of horizontally flipped images: cx -> W - 1 - cx where `flip` (B,) is set."""
    flipped = K.clone()
    flipped[..., 0, 2] = width - 1 - K[..., 0, 2]
    return torch.where(flip[:, None, None], flipped, K)


def backproject(depth: Tensor, inv_K: Tensor) -> Tensor:
    """Camera-frame points of a depth map.

    Args:
        depth: (B, 1, H, W), z in metres.
        inv_K: (B, 3, 3).

    Returns:
        (B, 3, H, W).
    """
    height, width = depth.shape[-2:]
    rays = inv_K @ pixel_grid(height, width, depth)
    return rays.reshape(-1, 3, height, width) * depth


def project(points: Tensor, K: Tensor, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    """Pixels and depth of camera-frame points.

    Args:
        points: (B, 3, H, W).
        K: (B, 3, 3).
        eps: smallest z that is divided by; points behind the camera land far outside.

    Returns:
        Pixel coordinates (B, 2, H, W) and z (B, 1, H, W).
    """
    shape = points.shape
    image = (K @ points.reshape(shape[0], 3, -1)).reshape(shape)
    z = points[:, 2:3]
    return image[:, :2] / z.clamp(min=eps), z


def normalise_pixels(pixels: Tensor, height: int, width: int) -> Tensor:
    """Sampling grid for `grid_sample(align_corners=False)`: 2 (x + .5) / W - 1.

    Args:
        pixels: (B, 2, ..., ...), pixel coordinates u, v of an image of `height` x `width`.

    Returns:
        (B, ..., ..., 2).
    """
    u = (pixels[:, 0] + 0.5) * (2 / width) - 1
    v = (pixels[:, 1] + 0.5) * (2 / height) - 1
    return torch.stack([u, v], -1)


def sample_views(source: Tensor, grid: Tensor) -> Tensor:
    """`grid_sample`, bilinear with border padding, of (B, C, H, W) at a grid of `normalise_pixels`.

    FloatingPointError, on the CPU: the grid holds NaN, which would end the process in the backward
    pass there. Other devices put out NaN, which the logs show without a wait in every step.
    """
    if torch.compiler.is_compiling():
        # no exception on a value there: as on other devices, on which nothing would crash
        lost = grid.isnan()
        sampled = F.grid_sample(source, grid.masked_fill(lost, 0), *_SAMPLING)
        return sampled.masked_fill(lost.any(-1)[:, None], torch.nan)
    if grid.device.type == 'cpu':
        _stop_at_nan(grid)
    return F.grid_sample(source, grid, *_SAMPLING)


def _stop_at_nan(grid: Tensor) -> None:
    # a sum reads the grid once, in 1 % of the time of the sampling; infinities may make it NaN too
    if grid.detach().sum().isnan() and grid.isnan().any():
        raise FloatingPointError(NOT_FINITE)


def proj(
    source: Tensor, depth: Tensor, T_source_target: Tensor, K: Tensor, inv_K: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Re-projection: the source view as the target camera would see it.

    Args:
        source: (B, C, H, W), anything that the source camera sees.
        depth: of the target, (B, 1, H, W), metres.
        T_source_target: (B, 4, 4), x_source = T x_target.
        K: (B, 3, 3), of both cameras.
        inv_K: (B, 3, 3).

    Returns:
        The warped source (B, C, H, W) with border padding, the depth of the target's points in the
        source camera (B, 1, H, W), and the mask (B, 1, H, W) of points that fall inside the image
        and in front of the camera. Errors are those of `sample_views`.
    """
    height, width = depth.shape[-2:]
    points = backproject(depth, inv_K)
    moved = T_source_target[:, :3, :3] @ points.flatten(2) + T_source_target[:, :3, 3:]
    pixels, z = project(moved.reshape(points.shape), K)
    grid = normalise_pixels(pixels, *source.shape[-2:])
    warped = sample_views(source, grid)
    inside = (grid.abs() <= 1).all(-1)[:, None] & (z > 0)
    return warped, z, inside.reshape(-1, 1, height, width)

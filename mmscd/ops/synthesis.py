"""View synthesis: sources warped into a target by its depth."""

from __future__ import annotations

from torch import Tensor

from mmscd.geometry import normalise_pixels, pixel_grid, sample_views


def synthesise_views(
    sources: Tensor,
    depth: Tensor,
    T_source_target: Tensor,
    K: Tensor,
    inv_K: Tensor,
    kernels: str = 'torch',
) -> Tensor:
    """Every source warped into the target by every depth map, in one `grid_sample`.

    The same as `geometry.proj` source by source and scale by scale: rays through the pixels are
    rotated once for all depth maps, and the maps lie under each other in one sampling grid.

    Args:
        sources: (B, S, 3, H, W).
        depth: (B, n, H, W), n depth maps of the target, metres.
        T_source_target: (B, S, 4, 4).
        K: (B, 3, 3), pixels.
        inv_K: (B, 3, 3).
        kernels: `torch` or `triton`, see `kernels.choose_form`.

    Returns:
        (B, S, 3, n, H, W). Errors are those of `geometry.sample_views`, in plain PyTorch only.
    """
    batch, count, channels, height, width = sources.shape
    scales = depth.shape[1]
    P = K[:, None] @ T_source_target[:, :, :3]
    if kernels == 'triton':
        from ._triton import warp

        return warp(sources, depth, P[..., :3] @ inv_K[:, None], P[..., 3])
    rays = P[..., :3] @ (inv_K @ pixel_grid(height, width, depth))[:, None]
    points = rays.reshape(batch, count, 3, 1, -1) * depth.reshape(batch, 1, 1, scales, -1)
    points = points + P[..., 3, None, None]
    pixels = points[:, :, :2] / points[:, :, 2:].clamp(min=1e-7)
    pixels = pixels.reshape(batch * count, 2, scales * height, width)
    grid = normalise_pixels(pixels, height, width)
    warped = sample_views(sources.flatten(0, 1), grid)
    return warped.reshape(batch, count, channels, scales, height, width)

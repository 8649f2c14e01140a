"""Synthesis and reprojection error by Triton kernels, with backward passes that recompute."""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from . import _triton_kernels as kernels
from ._cpu import C1, C2

_BLOCK = 256


def _grid(maps: Tensor) -> tuple[int, int]:
    """Programs for maps (B, n, H, W): blocks of pixels, maps."""
    return triton.cdiv(maps.shape[-2] * maps.shape[-1], _BLOCK), maps.shape[0] * maps.shape[1]


class Synthesis(torch.autograd.Function):
    """`synthesis.synthesise_views`; gradients flow to the depth and to both matrices."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor, depth: Tensor, M: Tensor, t: Tensor) -> Tensor:
        """Views (B, S, C, n, H, W) of sources (B, S, C, H, W) by depth (B, n, H, W), M = K R K^-1
        (B, S, 3, 3) and t = K t (B, S, 3)."""
        sources, depth, M, t = (x.contiguous() for x in (sources, depth, M, t))
        batch, count, channels, height, width = sources.shape
        maps = depth.shape[1]
        views = sources.new_empty(batch, count, channels, maps, height, width)
        sizes = (height, width, maps, count, channels, _BLOCK)
        kernels.warp_forward[_grid(depth)](sources, depth, M, t, views, *sizes)
        ctx.save_for_backward(sources, depth, M, t)
        return views

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """Gradients to depth, M and t."""
        sources, depth, M, t = ctx.saved_tensors
        _, count, channels, height, width = sources.shape
        batch, maps = depth.shape[:2]
        grid = _grid(depth)
        to_depth = torch.empty_like(depth)
        partial = depth.new_empty(grid[0], batch, maps, count, 12)
        sizes = (height, width, maps, count, channels, _BLOCK)
        kernels.warp_backward[grid](
            grad.contiguous(), sources, depth, M, t, to_depth, partial, *sizes
        )
        sums = partial.sum((0, 2))
        return None, to_depth, sums[..., :9].reshape(M.shape), sums[..., 9:].reshape(t.shape)


class Reprojection(torch.autograd.Function):
    """`photometric.reprojection_error`; gradients flow to the views."""

    @staticmethod
    def forward(
        ctx: Any, views: Tensor, target: Tensor, identity: Tensor | None, alpha: float
    ) -> tuple[Tensor, Tensor]:
        """Errors (B, n, H, W) and the source that each comes from, -1: none, of views
        (B, S, C, n, H, W), a target (B, C, H, W) and the error of un-warped sources (B, H, W)."""
        views, target = views.contiguous(), target.contiguous()
        batch, count, channels, maps, height, width = views.shape
        error = views.new_empty(batch, maps, height, width)
        choice = torch.empty(error.shape, dtype=torch.int8, device=views.device)
        still = target if identity is None else identity.contiguous()
        kernels.reprojection_forward[_grid(error)](
            views, target, still, error, choice, height, width, maps, alpha, C1, C2,
            identity is not None, count, channels, _BLOCK,
        )  # fmt: skip
        ctx.save_for_backward(views, target, choice)
        ctx.mark_non_differentiable(choice)
        ctx.alpha = alpha
        return error, choice

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple:
        """Gradient to the views."""
        views, target, choice = ctx.saved_tensors
        batch, count, channels, maps, height, width = views.shape
        grad, out = grad.contiguous(), torch.empty_like(views)
        windows = views.new_empty(batch, 3, channels, maps, height, width)
        grid, sizes = _grid(grad), (height, width, maps, ctx.alpha)
        last = (count, channels, _BLOCK)
        kernels.window_gradients[grid](grad, views, target, choice, windows, *sizes, C1, C2, *last)
        kernels.reprojection_backward[grid](
            grad, views, target, choice, windows, out, *sizes, *last
        )
        return out, None, None, None

"""Synthesis and reprojection error by Triton kernels, as operations of PyTorch.

As operations (`torch.library`) they can be compiled, captured and counted like any other. Their
backward passes recompute instead of keeping what the forward passes had in registers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from . import _triton_kernels as kernels
from ._cpu import C1, C2

_BLOCK = 256


def _grid(maps: Tensor) -> tuple[int, int]:
    """Programs for maps (B, n, H, W): blocks of pixels, maps."""
    return -(-maps.shape[-2] * maps.shape[-1] // _BLOCK), maps.shape[0] * maps.shape[1]


@custom_op('mmscd::warp', mutates_args=())
def warp(sources: Tensor, depth: Tensor, M: Tensor, t: Tensor) -> Tensor:
    """Views (B, S, C, n, H, W) of sources (B, S, C, H, W) by depth (B, n, H, W), M = K R K^-1
    (B, S, 3, 3) and t = K t (B, S, 3); gradients flow to the last three."""
    views = _views_like(sources, depth)
    arguments = (x.contiguous() for x in (sources, depth, M, t))
    kernels.warp_forward[_grid(depth)](*arguments, views, *_warp_sizes(sources, depth))
    return views


@custom_op('mmscd::warp_backward', mutates_args=())
def warp_backward(
    grad: Tensor, sources: Tensor, depth: Tensor, M: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of `warp` to depth, and to M and t: (blocks, B, n, S, 12), to be summed."""
    to_depth, partial = _like_warp_backward(grad, sources, depth, M, t)
    arguments = (x.contiguous() for x in (grad, sources, depth, M, t))
    sizes = _warp_sizes(sources, depth)
    kernels.warp_backward[_grid(depth)](*arguments, to_depth, partial, *sizes)
    return to_depth, partial


@custom_op('mmscd::reprojection', mutates_args=())
def reprojection(
    views: Tensor, target: Tensor, identity: Tensor | None, alpha: float
) -> tuple[Tensor, Tensor]:
    """Errors (B, n, H, W) and the source that each comes from, int8, -1: none, of views
    (B, S, C, n, H, W), a target (B, C, H, W) and the error of un-warped sources (B, 1, H, W);
    gradients flow to the views."""
    error, choice = _like_reprojection(views, target, identity, alpha)
    still = target if identity is None else identity.contiguous()
    sizes = (*views.shape[-2:], views.shape[3], alpha, C1, C2)
    kernels.reprojection_forward[_grid(error)](
        views.contiguous(), target.contiguous(), still, error, choice, *sizes,
        identity is not None, *views.shape[1:3], _BLOCK,
    )  # fmt: skip
    return error, choice


@custom_op('mmscd::reprojection_backward', mutates_args=())
def reprojection_backward(
    grad: Tensor, views: Tensor, target: Tensor, choice: Tensor, windows: Tensor, alpha: float
) -> Tensor:
    """Gradient of `reprojection` to the views, out of `window_gradients`."""
    out = torch.empty_like(views, memory_format=torch.contiguous_format)
    arguments = (x.contiguous() for x in (grad, views, target, choice, windows))
    sizes = (*views.shape[-2:], views.shape[3], alpha, *views.shape[1:3], _BLOCK)
    kernels.reprojection_backward[_grid(grad)](*arguments, out, *sizes)
    return out


@custom_op('mmscd::window_gradients', mutates_args=())
def window_gradients(
    grad: Tensor, views: Tensor, target: Tensor, choice: Tensor, alpha: float
) -> Tensor:
    """Gradients of the error to the window means of the chosen views, of their squares and of their
    products with the target, (B, 3, C, n, H, W)."""
    batch, _, channels, maps, height, width = views.shape
    windows = views.new_empty(batch, 3, channels, maps, height, width)
    arguments = (x.contiguous() for x in (grad, views, target, choice))
    sizes = (height, width, maps, alpha, C1, C2, *views.shape[1:3], _BLOCK)
    kernels.window_gradients[_grid(grad)](*arguments, windows, *sizes)
    return windows


def _warp_sizes(sources: Tensor, depth: Tensor) -> tuple[int, ...]:
    return (*sources.shape[-2:], depth.shape[1], *sources.shape[1:3], _BLOCK)


def _views_like(sources: Tensor, depth: Tensor) -> Tensor:
    return sources.new_empty(*sources.shape[:3], depth.shape[1], *sources.shape[-2:])


@warp.register_fake
def _like_warp(sources: Tensor, depth: Tensor, M: Tensor, t: Tensor) -> Tensor:
    return _views_like(sources, depth)


@warp_backward.register_fake
def _like_warp_backward(
    grad: Tensor, sources: Tensor, depth: Tensor, M: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    shape = (_grid(depth)[0], *depth.shape[:2], sources.shape[1], 12)
    return torch.empty_like(depth, memory_format=torch.contiguous_format), depth.new_empty(shape)


@reprojection.register_fake
def _like_reprojection(
    views: Tensor, target: Tensor, identity: Tensor | None, alpha: float
) -> tuple[Tensor, Tensor]:
    error = views.new_empty(views.shape[0], *views.shape[3:])
    return error, torch.empty_like(error, dtype=torch.int8)


@reprojection_backward.register_fake
def _like_views(grad: Tensor, views: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(views, memory_format=torch.contiguous_format)


@window_gradients.register_fake
def _like_windows(
    grad: Tensor, views: Tensor, target: Tensor, choice: Tensor, alpha: float
) -> Tensor:
    return views.new_empty(views.shape[0], 3, *views.shape[2:])


def _keep_warp(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _warp_gradients(ctx: Any, grad: Tensor) -> tuple:
    sources, depth, M, t = ctx.saved_tensors
    to_depth, partial = warp_backward(grad, sources, depth, M, t)
    sums = partial.sum((0, 2))
    return None, to_depth, sums[..., :9].reshape(M.shape), sums[..., 9:].reshape(t.shape)


def _keep_reprojection(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    views, target, _, ctx.alpha = inputs
    ctx.save_for_backward(views, target, output[1])
    ctx.mark_non_differentiable(output[1])


def _reprojection_gradients(ctx: Any, grad: Tensor, _: Tensor) -> tuple:
    views, target, choice = ctx.saved_tensors
    windows = window_gradients(grad, views, target, choice, ctx.alpha)
    out = reprojection_backward(grad, views, target, choice, windows, ctx.alpha)
    return out, None, None, None


warp.register_autograd(_warp_gradients, setup_context=_keep_warp)
reprojection.register_autograd(_reprojection_gradients, setup_context=_keep_reprojection)

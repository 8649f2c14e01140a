"""The error of warped views by a C++ kernel for CPUs, as operations of PyTorch.

What the kernel computes stands in `synthesis.py` and `photometric.py`, how in `_warped_error.cpp`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from mmscd.geometry import NOT_FINITE

from ._cpp_build import load_kernels
from ._cpu import C1, C2


@custom_op('mmscd::warped_error', mutates_args=())
def warped_error(
    sources: Tensor,
    depth: Tensor | None,
    M: Tensor | None,
    t: Tensor | None,
    target: Tensor,
    identity: Tensor | None,
    alpha: float,
) -> tuple[Tensor, Tensor]:
    """Errors (B, n, H, W) and the source that each comes from, int8, -1: none.

    Args:
        sources: (B, S, C, H, W).
        depth: (B, n, H, W); None: the sources are judged as they are, and n is 1.
        M: K R K^-1, (B, S, 3, 3).
        t: K t, (B, S, 3). Gradients flow to `depth`, `M` and `t`.
        target: (B, C, H, W).
        identity: error of the un-warped sources, (B, 1, H, W), which compete; or None.
        alpha: weight of SSIM.

    Raises:
        FloatingPointError: depth, M or t is not finite.
    """
    error, choice = _like_warped_error(sources, depth, M, t, target, identity, alpha)
    others = (depth, M, t, identity, error, choice)
    if _call('forward', (sources, target), others, error.shape[1], alpha):
        raise FloatingPointError(NOT_FINITE)
    return error, choice


@custom_op('mmscd::warped_error_backward', mutates_args=())
def warped_error_backward(
    grad: Tensor,
    sources: Tensor,
    depth: Tensor,
    M: Tensor,
    t: Tensor,
    target: Tensor,
    choice: Tensor,
    alpha: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `warped_error` to depth, M and t."""
    out = _like_camera(grad, sources, depth, M, t, target, choice, alpha)
    others = (depth, M, t, grad, choice, *out)
    _call('backward', (sources, target), others, depth.shape[1], alpha)
    return out


def _call(
    name: str, images: Sequence[Tensor], others: Sequence[Tensor | None], maps: int, alpha: float
) -> int:
    """The kernel's answer for images (sources, target) and what else it takes, in its order.

    ValueError: they are not on a CPU, or not all of one type."""
    # frames of one batch lie beside each other: samples of sources or targets are further apart
    images = [x if x[0].is_contiguous() else x.contiguous() for x in images]
    others = [x if x is None else x.contiguous() for x in others]
    sources, dtype = images[0], images[0].dtype
    for x in (*images, *others):
        if x is not None and (x.device.type != 'cpu' or x.dtype not in (dtype, torch.int8)):
            raise ValueError(
                f"kernels='cpp' takes tensors on a CPU, all of one type, got {x.dtype} on "
                f"{x.device} beside {dtype}: set kernels='torch'"
            )
    pointers = [x if x is None else x.data_ptr() for x in (*images, *others)]
    function = getattr(load_kernels(), f'mmscd_{name}_{str(dtype).removeprefix("torch.")}')
    function.argtypes = [ctypes.c_void_p] * (len(pointers) + 2) + [ctypes.c_int]
    steps = (x.stride(0) for x in images)
    sizes = (ctypes.c_int64 * 8)(*sources.shape[:3], maps, *sources.shape[3:], *steps)
    numbers = (ctypes.c_double * 3)(alpha, C1, C2)
    return function(*pointers, sizes, numbers, torch.get_num_threads())


@warped_error.register_fake
def _like_warped_error(
    sources: Tensor, depth: Tensor | None, M: Any, t: Any, target: Tensor, identity: Any, alpha: Any
) -> tuple[Tensor, Tensor]:
    maps = 1 if depth is None else depth.shape[1]
    error = target.new_empty(target.shape[0], maps, *target.shape[-2:])
    return error, torch.empty_like(error, dtype=torch.int8)


@warped_error_backward.register_fake
def _like_camera(
    grad: Any, sources: Any, depth: Tensor, M: Tensor, t: Tensor, *_: Any
) -> tuple[Tensor, Tensor, Tensor]:
    out = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in (depth, M, t)]
    return out[0], out[1], out[2]


def _keep(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    sources, depth, M, t, target, _, ctx.alpha = inputs
    ctx.save_for_backward(sources, depth, M, t, target, output[1])
    ctx.mark_non_differentiable(output[1])


def _gradients(ctx: Any, grad: Tensor, _: Tensor) -> tuple:
    sources, depth, M, t, target, choice = ctx.saved_tensors
    to = warped_error_backward(grad, sources, depth, M, t, target, choice, ctx.alpha)
    return None, *to, None, None, None


warped_error.register_autograd(_gradients, setup_context=_keep)

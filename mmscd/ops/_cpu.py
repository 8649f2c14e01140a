"""The photometric error with a backward pass of its own, in plain PyTorch, for any device.

What it computes stands in `photometric.py`. It is written for one target and many warped views of
it: the target's statistics are computed once, and the backward pass recomputes the rest instead of
keeping some twenty maps of the size of all views alive, which is what the time of the definition
goes into. On a CPU the work is cut into parts that fit its cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

C1 = 0.01**2
C2 = 0.03**2


def box_mean(x: Tensor) -> Tensor:
    """Mean over 3x3 windows of the last two dimensions, reflection padding, as two passes.

    Args:
        x: (..., H, W) with H, W >= 2.
    """
    rows = torch.empty_like(x)
    torch.add(x[..., :-2], x[..., 2:], out=rows[..., 1:-1])
    rows[..., 0] = 2 * x[..., 1]
    rows[..., -1] = 2 * x[..., -2]
    rows += x
    out = torch.empty_like(x)
    torch.add(rows[..., :-2, :], rows[..., 2:, :], out=out[..., 1:-1, :])
    out[..., 0, :] = 2 * rows[..., 1, :]
    out[..., -1, :] = 2 * rows[..., -2, :]
    out += rows
    return out.div_(9)


def box_mean_adjoint(g: Tensor) -> Tensor:
    """The transpose of `box_mean`: gradients of the mean to gradients of its input."""
    rows = g.clone()
    rows[..., 1:, :] += g[..., :-1, :]
    rows[..., :-1, :] += g[..., 1:, :]
    rows[..., 1, :] += g[..., 0, :]
    rows[..., -2, :] += g[..., -1, :]
    out = rows.clone()
    out[..., 1:] += rows[..., :-1]
    out[..., :-1] += rows[..., 1:]
    out[..., 1] += rows[..., 0]
    out[..., -2] += rows[..., -1]
    return out.div_(9)


def _ssim_factors(view: Tensor, target: Tensor, mean: Tensor, variance: Tensor) -> tuple:
    """The view's mean and the four factors of SSIM = n1 n2 / (d1 d2)."""
    view_mean = box_mean(view)
    view_square = view_mean * view_mean
    cross = view_mean * mean
    n2 = box_mean(view * target).sub_(cross).mul_(2).add_(C2)
    n1 = cross.mul_(2).add_(C1)
    d2 = box_mean(view * view).sub_(view_square).add_(variance).add_(C2)
    d1 = view_square.add_(mean * mean).add_(C1)
    return view_mean, n1, n2, d1, d2


def _error(view: Tensor, target: Tensor, mean: Tensor, variance: Tensor, alpha: float) -> Tensor:
    """Error maps (..., V, H, W) of views (..., 3, V, H, W)."""
    _, n1, n2, d1, d2 = _ssim_factors(view, target, mean, variance)
    ssim = n1.mul_(n2).div_(d1.mul_(d2))
    dissimilarity = ssim.neg_().add_(1).mul_(0.5).clamp_(0, 1)
    difference = (view - target).abs_()
    return dissimilarity.mul_(alpha).add_(difference, alpha=1 - alpha).mean(-4)


def _error_gradient(
    grad: Tensor, view: Tensor, target: Tensor, mean: Tensor, variance: Tensor, alpha: float
) -> Tensor:
    """Gradient of `_error` to the views, by hand.

    With m = box_mean(view), q = box_mean(view^2), r = box_mean(view target):
    dSSIM/dm = 2 (mean (n2 - n1) - SSIM m (d2 - d1)) / (d1 d2), dSSIM/dq = -SSIM / d2,
    dSSIM/dr = 2 n1 / (d1 d2).
    """
    channels = view.shape[-4]
    grad = grad.unsqueeze(-4)
    view_mean, n1, n2, d1, d2 = _ssim_factors(view, target, mean, variance)
    denominator = d1 * d2
    ssim = (n1 * n2).div_(denominator)
    inside = (ssim <= 1) & (ssim >= -1)
    weight = (grad * (-0.5 * alpha / channels) * inside).div_(denominator)
    to_mean = (n2 - n1).mul_(mean).sub_(view_mean.mul_(d2.sub_(d1)).mul_(ssim)).mul_(2)
    to_square = ssim.mul_(d1).mul_(weight).neg_()
    to_cross = n1.mul_(2).mul_(weight)
    out = box_mean_adjoint(to_mean.mul_(weight))
    out.addcmul_(box_mean_adjoint(to_square), view, value=2)
    out.addcmul_(box_mean_adjoint(to_cross), target)
    return out.add_((view - target).sign_().mul_(grad * ((1 - alpha) / channels)))


class PhotometricError(torch.autograd.Function):
    """`photometric.photometric_error` with a backward pass that recomputes."""

    @staticmethod
    def forward(ctx: Any, views: Tensor, target: Tensor, alpha: float) -> Tensor:
        """Error maps; keeps the views and the target's statistics."""
        mean = box_mean(target)
        variance = box_mean(target * target) - mean * mean
        ctx.save_for_backward(views, target, mean, variance)
        ctx.alpha = alpha
        out = views.new_empty(*views.shape[:2], *views.shape[3:])
        for part in _parts(views):
            out[part] = _error(views[part], *_of_targets(part, target, mean, variance), alpha)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        """Gradient to the views."""
        views, target, mean, variance = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None, None
        out = torch.empty_like(views)
        for part in _parts(views):
            statistics = _of_targets(part, target, mean, variance)
            out[part] = _error_gradient(grad[part], views[part], *statistics, ctx.alpha)
        return out, None, None


def _parts(views: Tensor) -> list:
    """Index tuples that cut the work: one source view of one sample fits a CPU's cache, a GPU wants
    everything at once."""
    if views.device.type != 'cpu':
        return [(slice(None), slice(None))]
    return [(b, s) for b in range(views.shape[0]) for s in range(views.shape[1])]


def _of_targets(
    part: tuple, target: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Target maps (B, 3, H, W) that broadcast against `views[part]`."""
    everything = (slice(None), None, slice(None), None)
    index = everything if isinstance(part[0], slice) else (part[0], slice(None), None)
    return target[index], mean[index], variance[index]

"""The photometric error map pe(a, b) = alpha (1 - SSIM) / 2 + (1 - alpha) |a - b|.

SSIM with 3x3 mean windows and reflection padding, as Godard et al., "Digging into self-supervised
monocular depth estimation", 2019, eq. 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ._cpu import C1, C2, PhotometricError

__all__ = [
    'minimum_reprojection',
    'photometric_error',
    'photometric_error_by_definition',
    'reprojection_error',
]


def photometric_error_by_definition(views: Tensor, target: Tensor, alpha: float = 0.85) -> Tensor:
    """What `photometric_error` computes, as it is written in the paper; slow, for tests."""

    def mean(image: Tensor) -> Tensor:
        padded = F.pad(image.flatten(0, -3), (1, 1, 1, 1), mode='reflect')
        return F.avg_pool2d(padded, 3, 1).reshape(image.shape)

    a, b = views, target[:, None, :, None].expand_as(views)
    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    ssim = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    ssim = ssim / ((mean_a**2 + mean_b**2 + C1) * (variance_a + variance_b + C2))
    dissimilarity = ((1 - ssim) / 2).clamp(0, 1)
    return (alpha * dissimilarity + (1 - alpha) * (a - b).abs()).mean(2)


def photometric_error(views: Tensor, target: Tensor, alpha: float = 0.85) -> Tensor:
    """Photometric error of views of a target, per pixel, mean over the colour channels.

    Args:
        views: (B, S, 3, V, H, W) in [0, 1], float32 or float64: V views from each of S sources.
            Gradients flow to them.
        target: (B, 3, H, W) in [0, 1]; no gradient flows to it.
        alpha: weight of SSIM against the absolute difference.

    Returns:
        (B, S, V, H, W), >= 0.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if views.ndim != 6 or (views.shape[0], *views.shape[2:3], *views.shape[4:]) != target.shape:
        raise ValueError(
            f'views must be (B, S, C, V, H, W) for a target (B, C, H, W), got {tuple(views.shape)} '
            f'and {tuple(target.shape)}'
        )
    if torch.compiler.is_compiling():
        # a compiler fuses the definition, and keeps or recomputes what pays
        return photometric_error_by_definition(views, target.detach(), alpha)
    return PhotometricError.apply(views, target.detach(), alpha)


def minimum_reprojection(
    warped_error: Tensor, identity_error: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Smallest of the errors (B, S, n, H, W) over the sources, (B, n, H, W), and the auto-mask.

    The mask, bool (B, n, H, W), is True where warping a source beats every un-warped source, whose
    smallest error is (B, 1, H, W); None: no mask. Where it is False the error is that of the
    un-warped sources, which no parameter changes; a tie counts as False: a static frame is masked
    entirely.
    """
    error = warped_error.amin(1) if warped_error.shape[1] == 1 else warped_error.min(1).values
    if identity_error is None:
        return error, torch.ones_like(error, dtype=torch.bool)
    auto_mask = error < identity_error
    return torch.where(auto_mask, error, identity_error), auto_mask


def reprojection_error(
    views: Tensor,
    target: Tensor,
    identity_error: Tensor | None = None,
    alpha: float = 0.85,
    kernels: str = 'torch',
) -> tuple[Tensor, Tensor]:
    """`minimum_reprojection` of the `photometric_error` of views.

    Args:
        views, target, alpha: as `photometric_error` takes them.
        identity_error: smallest error of the un-warped sources, (B, 1, H, W); no gradient flows to
            it. None: they do not compete.
        kernels: `torch` or `triton`, see `kernels.choose_form`.

    Returns:
        The error and the auto-mask, (B, V, H, W) both.
    """
    if kernels == 'triton':
        from ._triton import reprojection

        error, choice = reprojection(views, target.detach(), identity_error, alpha)
        return error, choice >= 0
    return minimum_reprojection(photometric_error(views, target, alpha), identity_error)

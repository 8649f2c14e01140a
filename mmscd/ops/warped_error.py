"""The photometric error of sources that are warped into a target by its depth."""

from __future__ import annotations

from torch import Tensor

from .photometric import reprojection_error
from .synthesis import synthesise_views


def warped_error(
    sources: Tensor,
    depth: Tensor,
    T_source_target: Tensor,
    K: Tensor,
    inv_K: Tensor,
    target: Tensor,
    identity_error: Tensor | None = None,
    alpha: float = 0.85,
    kernels: str = 'torch',
) -> tuple[Tensor, Tensor]:
    """`reprojection_error` of `synthesise_views`, with gradients to depth and pose.

    Args:
        sources, depth, T_source_target, K, inv_K: as `synthesise_views` takes them.
        target, identity_error, alpha: as `reprojection_error` takes them.
        kernels: `torch`, `triton` or `cpp`, see `kernels.choose_form`; `cpp` does all in one pass
            and makes no views.

    Returns:
        The error and the auto-mask, (B, n, H, W) both.

    Raises:
        FloatingPointError: depth, pose or K is not finite, on a CPU.
        ValueError: shapes, or types for `cpp`, do not fit each other.
    """
    if kernels != 'cpp':
        views = synthesise_views(sources, depth, T_source_target, K, inv_K, kernels)
        return reprojection_error(views, target, identity_error, alpha, kernels)
    from . import _cpp

    _check_shapes(sources, depth, target, identity_error)
    P = K[:, None] @ T_source_target[:, :, :3]
    camera = P[..., :3] @ inv_K[:, None], P[..., 3]
    error, choice = _cpp.warped_error(sources, depth, *camera, target, identity_error, alpha)
    return error, choice >= 0


def still_error(
    sources: Tensor, target: Tensor, alpha: float = 0.85, kernels: str = 'torch'
) -> Tensor:
    """Smallest error of the un-warped sources, (B, 1, H, W), without gradients to them; arguments
    and errors as in `warped_error`."""
    if kernels != 'cpp':
        still = sources.detach()[:, :, :, None]
        return reprojection_error(still, target, None, alpha, kernels)[0]
    from . import _cpp

    _check_shapes(sources, None, target, None)
    return _cpp.warped_error(sources, None, None, None, target, None, alpha)[0]


def _check_shapes(
    sources: Tensor, depth: Tensor | None, target: Tensor, identity: Tensor | None
) -> None:
    batch, _, channels, height, width = sources.shape
    size = (batch, height, width)
    maps = depth is None or (*depth.shape[:1], *depth.shape[2:]) == size
    still = identity is None or identity.shape == (batch, 1, height, width)
    if target.shape != (batch, channels, height, width) or not (maps and still):
        given = [None if x is None else tuple(x.shape) for x in (sources, depth, target, identity)]
        raise ValueError(
            'expected sources (B, S, C, H, W), depth (B, n, H, W), a target (B, C, H, W) and an '
            f'identity error (B, 1, H, W), got {given}'
        )
    if min(height, width) < 2:
        raise ValueError(f'windows of 3x3 need an image of at least 2x2, got {width}x{height}')

"""Rigid motions: axis-angle vectors and 4x4 matrices. Pure functions of tensors.

`T_a_b` takes points of frame b to frame a: x_a = T_a_b x_b.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_angle_to_rotation(axis_angle: Tensor) -> Tensor:
    """Rotation matrices of axis-angle vectors (Rodrigues' formula), smooth through zero.

    Args:
        axis_angle: (..., 3), radians; its direction is the axis, its length the angle.

    Returns:
        (..., 3, 3).
    """
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    # series of sin(a)/a and (1 - cos(a))/a^2: the closed forms have no derivative at zero
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    cross = cross.reshape(*axis_angle.shape, 3)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sine * cross + cosine * (cross @ cross)


def compose_transform(rotation: Tensor, translation: Tensor) -> Tensor:
    """4x4 transform of a rotation and a translation.

    Args:
        rotation: (..., 3, 3).
        translation: (..., 3).

    Returns:
        (..., 4, 4).
    """
    top = torch.cat([rotation, translation[..., None]], -1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1
    return torch.cat([top, bottom], -2)


def invert_transform(T_a_b: Tensor) -> Tensor:
    """T_b_a of a rigid T_a_b, (..., 4, 4), without a general matrix inverse."""
    rotation = T_a_b[..., :3, :3].transpose(-1, -2)
    translation = -(rotation @ T_a_b[..., :3, 3:])[..., 0]
    return compose_transform(rotation, translation)


def mirror_transform(T_a_b: Tensor, flip: Tensor) -> Tensor:
    """The motion that horizontally flipped cameras see: M T M with M = diag(-1, 1, 1, 1).

    Args:
        T_a_b: (B, ..., 4, 4).
        flip: bool (B,), which samples are flipped.

    Returns:
        The transforms, changed where `flip` is set.
    """
    mirror = torch.ones(4, 4, dtype=T_a_b.dtype, device=T_a_b.device)
    mirror[0, 1:] = -1
    mirror[1:, 0] = -1
    flip = flip.reshape(-1, *[1] * (T_a_b.ndim - 1))
    return torch.where(flip, T_a_b * mirror, T_a_b)

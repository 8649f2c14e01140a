"""Rigid motions against the matrix exponential and explicit products."""

import math

import pytest
import torch

from mmscd.geometry import (
    axis_angle_to_rotation,
    compose_transform,
    invert_transform,
    mirror_transform,
)


def skew(vector):
    """The cross-product matrix, entry by entry."""
    x, y, z = vector.tolist()
    return torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)


def random_transforms(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    vectors = torch.randn(*shape, 3, generator=g, dtype=torch.float64)
    translation = torch.randn(*shape, 3, generator=g, dtype=torch.float64)
    return compose_transform(axis_angle_to_rotation(vectors), translation)


@pytest.mark.parametrize(
    'length', [0.0, 1e-12, 1e-6, 0.99e-4, 1.01e-4, 1e-3, 0.1, 1.0, 2.5, math.pi, 6.0]
)
def test_rotation_equals_matrix_exponential(length):
    g = torch.Generator().manual_seed(1)
    axis = torch.randn(5, 3, generator=g, dtype=torch.float64)
    vectors = axis / axis.norm(dim=1, keepdim=True) * length
    expected = torch.linalg.matrix_exp(torch.stack([skew(v) for v in vectors]))
    assert (axis_angle_to_rotation(vectors) - expected).abs().max() < 1e-12


def test_rotation_in_float32_is_orthogonal_at_every_size():
    g = torch.Generator().manual_seed(2)
    vectors = torch.randn(200, 3, generator=g) * torch.logspace(-8, 0.5, 200)[:, None]
    rotation = axis_angle_to_rotation(vectors)
    assert (rotation @ rotation.mT - torch.eye(3)).abs().max() < 2e-6
    assert (rotation.double() - axis_angle_to_rotation(vectors.double())).abs().max() < 2e-6


@pytest.mark.parametrize('length', [0.0, 1e-5, 0.3])
def test_rotation_gradient(length):
    vector = torch.tensor([[0.6, -0.48, 0.64]], dtype=torch.float64) * length
    vector.requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_rotation, (vector,), eps=1e-6, atol=1e-7)
    assert torch.autograd.gradcheck(
        lambda v: invert_transform(compose_transform(axis_angle_to_rotation(v), v)), (vector,)
    )


def test_rotation_turns_the_right_way():
    """A quarter turn about z (forward) takes x (right) to y (down)."""
    rotation = axis_angle_to_rotation(torch.tensor([0, 0, math.pi / 2], dtype=torch.float64))
    moved = rotation @ torch.tensor([1.0, 0, 0], dtype=torch.float64)
    assert torch.allclose(moved, torch.tensor([0.0, 1, 0], dtype=torch.float64), atol=1e-15)


def test_compose_applies_rotation_then_translation():
    g = torch.Generator().manual_seed(3)
    rotation = axis_angle_to_rotation(torch.randn(2, 4, 3, generator=g, dtype=torch.float64))
    translation = torch.randn(2, 4, 3, generator=g, dtype=torch.float64)
    point = torch.randn(3, generator=g, dtype=torch.float64)
    T = compose_transform(rotation, translation)
    assert T.shape == (2, 4, 4, 4)
    moved = T @ torch.cat([point, torch.ones(1)])
    for i in range(2):
        for j in range(4):
            assert torch.allclose(moved[i, j, :3], rotation[i, j] @ point + translation[i, j])
    assert torch.equal(moved[..., 3], torch.ones(2, 4, dtype=torch.float64))


def test_invert_equals_general_inverse():
    T = random_transforms(3, 2)
    assert torch.allclose(invert_transform(T), torch.linalg.inv(T), atol=1e-13)
    assert torch.allclose(invert_transform(T) @ T, torch.eye(4).double().expand_as(T), atol=1e-13)


def test_mirror_equals_explicit_product():
    T = random_transforms(4, 2)
    flip = torch.tensor([True, False, True, False])
    M = torch.diag(torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64))
    mirrored = mirror_transform(T, flip)
    for b in range(4):
        for s in range(2):
            expected = M @ T[b, s] @ M if flip[b] else T[b, s]
            assert torch.allclose(mirrored[b, s], expected, atol=1e-15)
    single = mirror_transform(T[:, 0], flip)
    assert torch.equal(single, mirrored[:, 0])

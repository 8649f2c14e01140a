"""Pinhole geometry against explicit coordinates."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmscd.geometry import (
    axis_angle_to_rotation,
    backproject,
    compose_transform,
    disp_to_depth,
    flip_intrinsics,
    invert_intrinsics,
    normalise_pixels,
    pixel_grid,
    proj,
    project,
    sample_views,
    scale_intrinsics,
)

K = torch.tensor([[20.0, 0, 9.3], [0, 18.0, 5.8], [0, 0, 1]], dtype=torch.float64)[None]
HEIGHT, WIDTH = 12, 20


def translation(x, y, z):
    offset = torch.tensor([[x, y, z]], dtype=torch.float64)
    return compose_transform(torch.eye(3, dtype=torch.float64)[None], offset)


def ramps():
    """An image (1, 2, H, W) whose values are the pixel's own u and v."""
    return pixel_grid(HEIGHT, WIDTH, K)[:2].reshape(1, 2, HEIGHT, WIDTH)


def plane(z):
    return torch.full((1, 1, HEIGHT, WIDTH), z, dtype=torch.float64)


def test_disp_to_depth_at_the_ends_and_between():
    depth = disp_to_depth(torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64), 0.1, 100.0)
    assert depth[0] == pytest.approx(100.0, rel=1e-12)
    assert depth[1] == pytest.approx(0.1, rel=1e-12)
    # linear in inverse depth
    assert 1 / depth[2] == pytest.approx((1 / 0.1 + 1 / 100) / 2, rel=1e-12)


def test_pixel_grid_is_in_the_order_of_vec():
    grid = pixel_grid(4, 5, K)
    assert grid.dtype == K.dtype and grid.shape == (3, 20)
    assert grid[:, 1 * 5 + 3].tolist() == [3, 1, 1]


def test_scale_intrinsics_keeps_rays_under_area_averaging():
    """Where the ray of a halved image's pixel hits is the mean of the coordinates of the two by two
    pixels that it was averaged from."""
    half = scale_intrinsics(K, 0.5, 0.5)
    coordinates = F.avg_pool2d(ramps(), 2)
    rays = torch.linalg.inv(half) @ pixel_grid(HEIGHT // 2, WIDTH // 2, K)
    pixels = (K @ rays)[:, :2].reshape(1, 2, HEIGHT // 2, WIDTH // 2)
    assert torch.allclose(pixels, coordinates, atol=1e-12)
    assert half[0, 0, 0] == 10 and half[0, 0, 2] == pytest.approx((9.3 + 0.5) / 2 - 0.5)


def test_scale_intrinsics_of_arrays_and_projection_matrices():
    expected = scale_intrinsics(K, 0.4, 3.0)
    array = scale_intrinsics(K.numpy(), 0.4, 3.0)
    assert isinstance(array, np.ndarray) and np.array_equal(array, expected.numpy())
    T = np.eye(4)[:3]
    T[:, 3] = [0.5, -0.2, 0.1]
    P = scale_intrinsics(K.numpy() @ T, 0.4, 3.0)
    assert np.allclose(P, expected.numpy() @ T, atol=1e-12)
    assert np.array_equal(scale_intrinsics(K.numpy(), 1.0, 1.0), K.numpy())


def test_scale_intrinsics_by_axis_and_back():
    scaled = scale_intrinsics(K, 0.4, 3.0)
    assert scaled[0, 0].tolist() == pytest.approx([8.0, 0, 9.8 * 0.4 - 0.5])
    assert scaled[0, 1].tolist() == pytest.approx([0, 54.0, 6.3 * 3 - 0.5])
    assert torch.allclose(scale_intrinsics(scaled, 1 / 0.4, 1 / 3), K, atol=1e-12)
    assert K[0, 0, 0] == 20  # not in place


def test_inverse_intrinsics_are_those_of_a_solver_to_the_bit():
    torch.manual_seed(0)
    cameras = torch.eye(3).repeat(500, 1, 1)
    cameras[:, 0, 0], cameras[:, 1, 1] = 50 + 900 * torch.rand(2, 500)
    cameras[:, :2, 2] = 300 * torch.rand(500, 2)
    assert torch.equal(invert_intrinsics(cameras), torch.linalg.inv(cameras))
    skewed = cameras.double()
    skewed[:, 0, 1] = torch.rand(500)
    torch.testing.assert_close(invert_intrinsics(skewed), torch.linalg.inv(skewed))


def test_flip_intrinsics_moves_pixels_with_the_image():
    flip = torch.tensor([True, False])
    flipped = flip_intrinsics(K.repeat(2, 1, 1), WIDTH, flip)
    point = torch.tensor([0.4, -0.2, 3.0], dtype=torch.float64)
    u = (K[0] @ point)[0] / 3
    mirrored = point * torch.tensor([-1, 1, 1])
    assert (flipped[0] @ mirrored)[0] / 3 == pytest.approx((WIDTH - 1 - u).item())
    assert torch.equal(flipped[1], K[0])


def test_backproject_and_project_are_inverse():
    g = torch.Generator().manual_seed(0)
    depth = torch.rand(3, 1, HEIGHT, WIDTH, generator=g, dtype=torch.float64) * 50 + 0.1
    cameras = K.repeat(3, 1, 1) * (1 + 0.1 * torch.arange(3)[:, None, None])
    cameras[:, 2] = K[:, 2]
    points = backproject(depth, torch.linalg.inv(cameras))
    assert torch.allclose(points[:, 2:], depth, atol=1e-12)
    x = (7 - cameras[1, 0, 2]) / cameras[1, 0, 0] * depth[1, 0, 4, 7]
    assert points[1, 0, 4, 7] == pytest.approx(x.item())
    pixels, z = project(points, cameras)
    assert torch.allclose(pixels, ramps().expand(3, -1, -1, -1), atol=1e-9)
    assert torch.allclose(z, depth, atol=1e-12)


def test_normalised_corners():
    """The outer edges of the image are at -1 and 1, pixel centres half a pixel inside."""
    corners = torch.tensor([[-0.5, -0.5], [19.5, 11.5], [0, 0]]).double().T.reshape(1, 2, 1, 3)
    grid = normalise_pixels(corners, HEIGHT, WIDTH)[0, 0]
    assert torch.allclose(grid[0], torch.tensor([-1.0, -1]).double())
    assert torch.allclose(grid[1], torch.tensor([1.0, 1]).double())
    assert torch.allclose(grid[2], torch.tensor([-1 + 1 / WIDTH, -1 + 1 / HEIGHT]).double())


@pytest.mark.parametrize('dtype, tolerance', [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_identity_pose_warps_to_itself(dtype, tolerance):
    g = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=g, dtype=torch.float64)
    depth = torch.rand(1, 1, HEIGHT, WIDTH, generator=g, dtype=torch.float64) * 80 + 0.5
    arguments = (image, depth, translation(0, 0, 0), K, torch.linalg.inv(K))
    warped, z, _ = proj(*(a.to(dtype) for a in arguments))
    assert (warped - image).abs().max() < tolerance
    assert (z - depth).abs().max() < tolerance * 80


def test_sideways_motion_shifts_by_the_disparity():
    """x_source = x_target + t: pixels of a fronto-parallel plane move by fx t / z."""
    z, t = 8.0, 0.5
    warped, depth, mask = proj(ramps(), plane(z), translation(t, 0, 0), K, torch.linalg.inv(K))
    shift = 20.0 * t / z
    u = torch.arange(WIDTH).double()
    expected = (u + shift).clamp(max=WIDTH - 1)  # the border is repeated
    assert torch.allclose(warped[0, 0], expected.expand(HEIGHT, -1), atol=1e-12)
    assert torch.allclose(warped[0, 1], ramps()[0, 1], atol=1e-12)
    assert torch.allclose(depth, plane(z))
    assert torch.equal(mask[0, 0], (u + shift <= WIDTH - 0.5).expand(HEIGHT, -1))


def test_forward_motion_shrinks_towards_the_principal_point():
    """The source camera stood t behind: its points are t further away."""
    z, t = 6.0, 2.0
    warped, depth, mask = proj(ramps(), plane(z), translation(0, 0, t), K, torch.linalg.inv(K))
    scale = z / (z + t)
    u = (torch.arange(WIDTH).double() - 9.3) * scale + 9.3
    v = (torch.arange(HEIGHT).double() - 5.8) * scale + 5.8
    assert torch.allclose(warped[0, 0], u.expand(HEIGHT, -1), atol=1e-12)
    assert torch.allclose(warped[0, 1], v[:, None].expand(-1, WIDTH), atol=1e-12)
    assert torch.allclose(depth, plane(z + t)) and mask.all()


def test_mask_leaves_out_points_behind_the_camera():
    warped, depth, mask = proj(ramps(), plane(2.0), translation(0, 0, -3), K, torch.linalg.inv(K))
    assert (depth == -1).all() and not mask.any() and warped.isfinite().all()


def test_rotation_about_the_optical_axis():
    """Square pixels, half a turn about the principal point."""
    camera = torch.tensor([[20.0, 0, 9.5], [0, 20, 5.5], [0, 0, 1]], dtype=torch.float64)[None]
    g = torch.Generator().manual_seed(2)
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=g, dtype=torch.float64)
    rotation = axis_angle_to_rotation(torch.tensor([[0, 0, math.pi]], dtype=torch.float64))
    T = compose_transform(rotation, torch.zeros(1, 3, dtype=torch.float64))
    warped, _, mask = proj(image, plane(5.0), T, camera, torch.linalg.inv(camera))
    assert torch.allclose(warped, image.flip((-1, -2)), atol=1e-12) and mask.all()


@pytest.mark.parametrize('broken', ['depth', 'T', 'K'])
def test_what_is_not_finite_is_refused_before_it_ends_the_process(broken):
    """On the CPU `grid_sample` writes outside of its memory in backward where the grid has NaN."""
    values = dict(depth=plane(5.0), T=translation(0.1, 0, 0), K=K.clone())
    values[broken][..., 0, 0] = torch.nan
    leaf = values[broken].requires_grad_()
    with pytest.raises(FloatingPointError, match='not finite: nothing can be warped'):
        proj(ramps(), values['depth'], values['T'], values['K'], torch.linalg.inv(K))[0].sum()
    assert leaf.grad is None


def test_infinite_places_are_at_the_border():
    """Nothing is refused that can be sampled: their sum is NaN too."""
    grid = torch.tensor([torch.inf, -torch.inf]).double().expand(1, 1, 2, 2)
    assert torch.equal(sample_views(ramps(), grid)[0, :2, 0, 0], ramps()[0, :2, 0, -1])


def test_only_a_cpu_looks_for_nan(monkeypatch):
    """Elsewhere the host would wait for the device; `meta` stands for that."""
    seen = []
    monkeypatch.setattr('mmscd.geometry.camera._stop_at_nan', seen.append)
    for device in ('meta', 'cpu'):
        sample_views(torch.zeros(1, 3, 4, 5, device=device), torch.zeros(1, 2, 2, 2, device=device))
    assert [grid.device.type for grid in seen] == ['cpu']

"""The photometric loss against a naive float64 implementation written from the formulas."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmscd.geometry import axis_angle_to_rotation, compose_transform
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.ops import _cpu, minimum_reprojection


def naive_error(a, b, alpha=0.85):
    """pe(a, b) with five unfolded 3x3 windows; (B, 3, H, W) -> (B, H, W)."""

    def mean(x):
        padded = F.pad(x, (1, 1, 1, 1), mode='reflect')
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).mean((-1, -2))

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2
    cov = mean(a * b) - mu_a * mu_b
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * mu_a * mu_b + c1) * (2 * cov + c2)
    ssim = ssim / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    dissimilarity = ((1 - ssim) / 2).clamp(0, 1)
    return (alpha * dissimilarity + (1 - alpha) * (a - b).abs()).mean(1)


def naive_warp(source, depth, T, K):
    """One source (3, H, W) sampled pixel by pixel at the projections of the target's points."""
    height, width = depth.shape
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    pixels = torch.stack([u, v, torch.ones_like(u)]).double().reshape(3, -1)
    points = torch.linalg.solve(K, pixels) * depth.reshape(1, -1)
    points = T[:3, :3] @ points + T[:3, 3:]
    projected = K @ points
    x = (projected[0] / projected[2].clamp(min=1e-7)).clamp(0, width - 1)
    y = (projected[1] / projected[2].clamp(min=1e-7)).clamp(0, height - 1)
    x0, y0 = x.detach().floor().clamp(max=width - 2), y.detach().floor().clamp(max=height - 2)
    wx, wy = x - x0, y - y0
    x0, y0 = x0.long(), y0.long()
    out = source[:, y0, x0] * (1 - wx) * (1 - wy) + source[:, y0, x0 + 1] * wx * (1 - wy)
    out = out + source[:, y0 + 1, x0] * (1 - wx) * wy + source[:, y0 + 1, x0 + 1] * wx * wy
    return out.reshape(-1, height, width)


def naive_loss(outputs):
    """Mean over scales of the mean of the minimum over warped and un-warped sources."""
    target, sources = outputs.target, outputs.sources
    total = 0
    for disp in outputs.disps:
        disp = F.interpolate(disp, target.shape[-2:], mode='bilinear', align_corners=False)
        depth = 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * disp)
        errors = []
        for s in range(sources.shape[1]):
            warped = torch.stack(
                [
                    naive_warp(
                        sources[b, s],
                        depth[b, 0],
                        outputs.T_source_target[b, s],
                        outputs.K[b],
                    )
                    for b in range(len(target))
                ]
            )
            errors += [naive_error(warped, target), naive_error(sources[:, s], target)]
        total = total + torch.stack(errors).amin(0).mean()
    return total / len(outputs.disps)


def make_outputs(batch=2, count=2, height=12, width=20, scales=(1, 2, 4), seed=0, motion=0.3):
    """A batch of float64 `outputs` with smooth random images; leaves that need gradients apart."""
    g = torch.Generator().manual_seed(seed)

    def images(*shape):
        noise = torch.rand(*shape, 3, height, width, generator=g, dtype=torch.float64)
        return F.avg_pool2d(noise.flatten(0, -4), 3, 1, 1).reshape(*shape, 3, height, width)

    K = torch.tensor([[12.0, 0, 9.3], [0, 11.0, 5.8], [0, 0, 1]]).double().repeat(batch, 1, 1)
    disps = [
        (torch.rand(batch, 1, height // s, width // s, generator=g, dtype=torch.float64) * 0.05)
        .add(0.01)
        .requires_grad_()
        for s in scales
    ]
    vectors = torch.randn(batch, count, 6, generator=g, dtype=torch.float64) * motion
    vectors = (vectors * torch.tensor([0.05] * 3 + [1.0] * 3)).requires_grad_()
    outputs = StepOutputs(
        target=images(batch),
        sources=images(batch, count),
        disps=disps,
        K=K,
        inv_K=torch.linalg.inv(K),
        T_source_target=compose_transform(
            axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:]
        ),
        depth_range=(0.1, 100.0),
        notes={},
    )
    return outputs, [*disps, vectors]


@pytest.mark.parametrize('batch,count', [(1, 1), (2, 2), (3, 3)])
def test_equals_naive_in_value_and_gradient(batch, count):
    outputs, leaves = make_outputs(batch, count)
    loss = PhotometricLoss()(outputs)
    expected = naive_loss(outputs)
    assert abs(loss - expected) < 1e-10
    grads = torch.autograd.grad(loss, leaves, retain_graph=True)
    expected_grads = torch.autograd.grad(expected, leaves)
    for grad, reference in zip(grads, expected_grads, strict=True):
        assert reference.abs().max() > 1e-6
        assert (grad - reference).abs().max() < 1e-10


def test_gradcheck_loss():
    outputs, leaves = make_outputs(1, 2, 6, 8, scales=(1, 2))

    def loss(*values):
        *disps, vectors = values
        T = compose_transform(axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:])
        return PhotometricLoss()(replace(outputs, disps=disps, T_source_target=T))

    assert torch.autograd.gradcheck(loss, leaves, eps=1e-7, atol=1e-5)


def test_whole_batch_path_equals_parts(monkeypatch):
    """The path that a GPU takes, run here."""
    outputs, leaves = make_outputs()
    loss = PhotometricLoss()(outputs)
    grads = torch.autograd.grad(loss, leaves, retain_graph=True)
    monkeypatch.setattr(_cpu, '_parts', lambda views: [(slice(None), slice(None))])
    again = PhotometricLoss()(outputs)
    assert abs(loss - again) < 1e-12
    for a, b in zip(grads, torch.autograd.grad(again, leaves), strict=True):
        assert (a - b).abs().max() < 1e-12


def test_static_frame_is_fully_auto_masked():
    outputs, _ = make_outputs()
    outputs.sources = outputs.target[:, None].repeat(1, 2, 1, 1, 1)
    loss = PhotometricLoss()(outputs)
    assert outputs.notes['auto_mask_share'] == 0
    assert loss == 0


def test_without_auto_mask_every_pixel_takes_part():
    outputs, _ = make_outputs()
    PhotometricLoss(auto_mask=False)(outputs)
    assert outputs.notes['auto_mask_share'] == 1


def test_minimum_takes_the_visible_source():
    """A pixel occluded in one source is judged by the other."""
    error = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).reshape(1, 2, 1, 1, 2)
    identity = torch.tensor([0.5, 0.05]).reshape(1, 1, 1, 2)
    combined, mask = minimum_reprojection(error, identity)
    assert torch.equal(combined.flatten(), torch.tensor([0.2, 0.05]))
    assert mask.flatten().tolist() == [True, False]

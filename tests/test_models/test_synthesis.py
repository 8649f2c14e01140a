"""View synthesis against `geometry.proj`, and the smoothness loss against loops."""

import math

import pytest
import torch

from mmscd.geometry import axis_angle_to_rotation, compose_transform, proj
from mmscd.models.losses import SmoothnessLoss, smoothness, synthesise_views, upsample_disps
from mmscd.models.outputs import StepOutputs

H, W = 8, 12


def scene(batch=2, count=3, scales=2, motion=0.2, seed=0):
    """Arguments of `synthesise_views`, float64."""
    g = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.rand(*shape, generator=g, dtype=torch.float64)

    vectors = torch.randn(batch, count, 6, generator=g, dtype=torch.float64) * motion
    K = torch.tensor([[9.0, 0, 5.4], [0, 10, 3.7], [0, 0, 1]], dtype=torch.float64)
    K = K * (1 + 0.1 * torch.arange(batch, dtype=torch.float64)[:, None, None])
    K[:, 2] = torch.tensor([0.0, 0, 1])
    return dict(
        sources=rand(batch, count, 3, H, W),
        depth=rand(batch, scales, H, W) * 5 + 0.5,
        T_source_target=compose_transform(
            axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:]
        ),
        K=K,
        inv_K=torch.linalg.inv(K),
    )


@pytest.mark.parametrize('broken', ['depth', 'T_source_target', 'K'])
def test_what_is_not_finite_is_refused(broken):
    arguments = scene()
    arguments[broken].flatten()[3] = math.nan
    with pytest.raises(FloatingPointError, match='depth, pose or K is not finite'):
        synthesise_views(**arguments)


# with the larger motion points come to lie behind the cameras
@pytest.mark.parametrize('motion', [0.0, 0.1, 3.0])
def test_equals_proj_source_by_source_and_scale_by_scale(motion):
    arguments = scene(motion=motion)
    views = synthesise_views(**arguments)
    assert views.shape == (2, 3, 3, 2, H, W)
    camera = arguments['K'], arguments['inv_K']
    for s in range(3):
        for n in range(2):
            source, T = arguments['sources'][:, s], arguments['T_source_target'][:, s]
            warped, _, _ = proj(source, arguments['depth'][:, n : n + 1], T, *camera)
            assert (views[:, s, :, n] - warped).abs().max() < 1e-9


def test_gradients_equal_those_of_proj():
    arguments = scene(batch=2, count=2, scales=2, motion=0.1)
    leaves = [arguments[name].requires_grad_() for name in ('depth', 'T_source_target')]
    weight = torch.rand(2, 2, 3, 2, H, W, dtype=torch.float64)
    grads = torch.autograd.grad((synthesise_views(**arguments) * weight).sum(), leaves)
    total = 0
    for s in range(2):
        for n in range(2):
            source, T = arguments['sources'][:, s], arguments['T_source_target'][:, s]
            depth = arguments['depth'][:, n : n + 1]
            warped = proj(source, depth, T, arguments['K'], arguments['inv_K'])[0]
            total = total + (warped * weight[:, s, :, n]).sum()
    for grad, expected in zip(grads, torch.autograd.grad(total, leaves), strict=True):
        assert torch.allclose(grad, expected, atol=1e-9, rtol=1e-9)


def test_upsample_disps():
    """Half-pixel bilinear: a ramp of pixel-centre positions stays one; full size is untouched."""
    centres = (torch.arange(6, dtype=torch.float64) + 0.5) * 2 - 0.5
    ramp = centres.expand(1, 1, 4, 6)
    full = torch.rand(1, 1, 8, 12, dtype=torch.float64)
    out = upsample_disps([full, ramp], 8, 12)
    assert out.shape == (1, 2, 8, 12)
    assert torch.equal(out[:, :1], full)
    inner = torch.arange(12, dtype=torch.float64)[1:-1].expand(8, -1)
    assert torch.allclose(out[0, 1, :, 1:-1], inner, atol=1e-12)


def naive_smoothness(disp, image):
    """Sums over pixels, one by one."""
    batch, _, height, width = disp.shape
    totals = []
    for dv, du in ((0, 1), (1, 0)):
        terms = []
        for b in range(batch):
            mean = disp[b].mean().item() + 1e-7
            for v in range(height - dv):
                for u in range(width - du):
                    step = (disp[b, 0, v + dv, u + du] - disp[b, 0, v, u]).abs().item() / mean
                    edge = (image[b, :, v + dv, u + du] - image[b, :, v, u]).abs().mean().item()
                    terms.append(step * math.exp(-edge))
        totals.append(sum(terms) / len(terms))
    return sum(totals)


def random_maps(batch=2, height=6, width=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    disp = torch.rand(batch, 1, height, width, generator=g, dtype=torch.float64) + 0.05
    return disp, torch.rand(batch, 3, height, width, generator=g, dtype=torch.float64)


def test_smoothness_equals_loops():
    disp, image = random_maps()
    assert smoothness(disp, image).item() == pytest.approx(naive_smoothness(disp, image), abs=1e-12)


def test_smoothness_gradient():
    disp, image = random_maps(1, 4, 5)
    assert torch.autograd.gradcheck(lambda d: smoothness(d, image), (disp.requires_grad_(),))


def test_smoothness_ignores_the_scale_of_disparity_and_respects_edges():
    disp, image = random_maps()
    assert torch.isclose(smoothness(disp, image), smoothness(7 * disp, image), rtol=1e-5)
    assert smoothness(torch.ones_like(disp), image) == 0
    # a step of the disparity costs less where the image has one too
    step = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    step[..., 3:] = 2
    flat = torch.full((1, 3, 4, 6), 0.5, dtype=torch.float64)
    edge = flat.clone()
    edge[..., 3:] = 1.0
    ratio = smoothness(step, edge) / smoothness(step, flat)
    assert ratio.item() == pytest.approx(math.exp(-0.5), rel=1e-12)


def test_smoothness_loss_weights_scales():
    disp, image = random_maps(2, 8, 12)
    small, _ = random_maps(2, 4, 6, seed=1)
    loss = SmoothnessLoss(loss_weight=0.3)(StepOutputs(disps=[disp, small], target=image))
    half = image.reshape(2, 3, 4, 2, 6, 2).mean((3, 5))
    expected = (naive_smoothness(disp, image) + naive_smoothness(small, half) / 2) / 2
    assert loss.item() == pytest.approx(0.3 * expected, abs=1e-12)

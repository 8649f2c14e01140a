"""Structure consistency against scenes with a known answer, and against loops."""

import math
from dataclasses import replace

import pytest
import torch

from mmscd.geometry import axis_angle_to_rotation, compose_transform
from mmscd.models.losses import (
    StructureConsistencyLoss,
    TextureDisambiguationLoss,
    sample_median,
    structure_difference,
)
from mmscd.models.losses.shared import masked_mean
from mmscd.models.losses.texture_disambiguation_loss import relative_difference
from mmscd.models.outputs import StepOutputs
from mmscd.models.texture import PerturbedTexture
from mmscd.registry import MODELS
from mmscd.utils.keyed_random import make_key, uniform

H, W = 12, 20
RANGE = (0.1, 100.0)


def to_disp(depth):
    """The sigmoid output that means `depth`."""
    return (1 / depth - 1 / RANGE[1]) / (1 / RANGE[0] - 1 / RANGE[1])


def motion(*translation, batch=1):
    """x_source = x_target + translation."""
    vector = torch.tensor([translation], dtype=torch.float64).expand(batch, 3)
    return compose_transform(axis_angle_to_rotation(torch.zeros_like(vector)), vector)


class FakeNet:
    """`rerun` that knows the depth of what it is shown: the mean colour numbers it."""

    def __init__(self, depths):
        self.depths = depths
        self.calls = []

    def __call__(self, image, name):
        assert not torch.is_grad_enabled() or name == 'perturbed'
        self.calls.append(name)
        return [to_disp(self.depths[image[:, 0, 0, 0].round().long()])]


def make_outputs(depth, source_depths, T, batch=1, seed=0):
    """float64 `outputs`; source k of every sample is an image of the constant k.

    Args:
        depth: (B, 1, H, W) of the target.
        source_depths: (S, 1, H, W), one per source.
        T: (B, S, 4, 4).
    """
    count = len(source_depths)
    K = torch.tensor([[14.0, 0, 9.6], [0, 13.0, 5.3], [0, 0, 1]]).double().expand(batch, 3, 3)
    numbers = torch.arange(count, dtype=torch.float64).reshape(1, count, 1, 1, 1)
    return StepOutputs(
        target=torch.zeros(batch, 3, H, W, dtype=torch.float64),
        sources=numbers.expand(batch, count, 3, H, W),
        disps=[to_disp(depth)],
        T_source_target=T,
        K=K,
        inv_K=torch.linalg.inv(K),
        depth_range=RANGE,
        draw_key=torch.tensor([make_key(seed, i) for i in range(batch)]),
        rerun=FakeNet(source_depths),
        pixel_weights={},
        notes={},
    )


def plane(depth, batch=1):
    return torch.full((batch, 1, H, W), float(depth), dtype=torch.float64)


def random_case(batch=2, count=2, seed=0):
    """Random smooth depths and motions; leaves: disparity and motion vectors."""
    g = torch.Generator().manual_seed(seed)

    def smooth(n):
        small = torch.rand(n, 1, 3, 4, generator=g, dtype=torch.float64) * 2 + 4
        return torch.nn.functional.interpolate(small, (H, W), mode='bilinear')

    vectors = torch.randn(batch, count, 6, generator=g, dtype=torch.float64)
    vectors = vectors * torch.tensor([0.02] * 3 + [0.3] * 3)
    T = compose_transform(axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:])
    return make_outputs(smooth(batch), smooth(count), T, batch, seed), vectors


# --- known scenes


def test_the_same_depth_without_motion_agrees():
    outputs, _ = random_case()
    outputs.disps = [to_disp(outputs.rerun.depths[:1]).expand(2, 1, H, W)]
    outputs.rerun.depths = outputs.rerun.depths[:1].expand(2, 1, H, W)
    outputs.T_source_target = torch.eye(4).double().expand(2, 2, 4, 4)
    assert StructureConsistencyLoss()(outputs) < 1e-12
    assert outputs.notes['structure_valid'] == 1


@pytest.mark.parametrize('scale', [1.0, 0.5, 1.2, 3.0])
def test_a_wall_ahead(scale):
    """The camera moves 2 m towards a wall at 10 m; the source's depth is wrong by a factor.

    D_projected is 8 everywhere and D_warped 8 scale: |scale - 1| / (scale + 1). A wrong scale of
    all pixels is no occlusion.
    """
    outputs = make_outputs(plane(10), plane(8 * scale), motion(0, 0, -2)[:, None])
    loss = StructureConsistencyLoss(loss_weight=0.7)(outputs)
    assert loss.item() == pytest.approx(0.7 * abs(scale - 1) / (scale + 1), abs=1e-12)
    # a border of the target lies outside the source, which is nearer
    difference, valid = structure_difference(outputs)
    assert 0.4 < outputs.notes['structure_valid'] < 0.8
    assert valid[0, 0, 5, 10] and not valid[0, 0, 0, 0] and difference[0, 0, 0, 0] == 0


def test_a_slanted_plane_agrees_exactly():
    """Inverse depth of a plane is affine over pixels, so bilinear sampling makes no error."""
    K = make_outputs(plane(1), plane(1), motion(0, 0, 0)[:, None]).K[0]
    v, u = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing='ij')
    rays = torch.linalg.inv(K) @ torch.stack([u, v, torch.ones_like(u)]).reshape(3, -1)
    normal, shift = torch.tensor([0.02, 0.12, 0.2]).double(), (0.3, 0.1, -0.8)
    inverse = normal @ rays  # n x = 1 on the plane
    # in the source camera: n x = 1 + n t
    inverse_source = inverse / (1 + normal @ torch.tensor(shift).double())
    depth, source = ((1 / i).reshape(1, 1, H, W) for i in (inverse, inverse_source))
    outputs = make_outputs(depth, source, motion(*shift)[:, None])
    difference, valid = structure_difference(outputs)
    # in the outermost half pixel of the source there is nothing to interpolate between
    assert difference[..., 3:-3, 3:-3].max() < 1e-8 and valid[..., 3:-3, 3:-3].all()


def two_planes(shift):
    """A pole at 5 m before a wall at 20 m, the source camera `shift` metres to the right.

    Returns the outputs and which target pixels of the wall the pole hides in the source.
    """
    fx, pole = 14.0, (8, 11)
    u = torch.arange(W).double()
    target, source = plane(20), plane(20)
    target[..., pole[0] : pole[1] + 1] = 5
    # the pole moves by fx shift / 5 pixels to the left, the wall by a quarter of it
    near, far = fx * shift / 5, fx * shift / 20
    left = u + near  # where a source pixel's point of the pole was in the target
    source[..., (left >= pole[0] - 0.5) & (left <= pole[1] + 0.5)] = 5
    hidden = (u - far + near >= pole[0] - 0.5) & (u - far + near <= pole[1] + 0.5)
    hidden &= target[0, 0, 0] == 20
    return make_outputs(target, source, motion(-shift, 0, 0)[:, None]), hidden


def test_occluded_pixels_are_left_out():
    outputs, hidden = two_planes(shift=5 * 3 / 14.0)  # near 3 px, far 0.75 px
    signed_out, everything = structure_difference(outputs, occlusion=None)
    difference, valid = structure_difference(outputs)
    assert hidden.sum() >= 2
    # without the test they are counted with (20 - 5) / (20 + 5)
    counted = signed_out[0, 0, 6][hidden]
    assert counted.max() == pytest.approx(0.6, abs=1e-9) and everything[0, 0, 6][hidden].all()
    assert not valid[0, 0, 6][(signed_out[0, 0, 6] > 0.3) & hidden].any()
    # what stays is what both cameras see, apart from the interpolated rim of the pole
    rim = torch.nn.functional.max_pool1d(hidden[None].double(), 5, 1, 2)[0] > 0
    inner = valid[0, 0, 6] & ~rim
    inner[6:13] = False
    assert inner.sum() > 5 and difference[0, 0, 6][inner].max() < 1e-9
    with_test = StructureConsistencyLoss(loss_weight=1.0)(replace(outputs, memo={}))
    without = StructureConsistencyLoss(occlusion=None, loss_weight=1.0)(replace(outputs, memo={}))
    assert with_test < 0.7 * without


def test_points_behind_the_camera_do_not_count():
    outputs = make_outputs(plane(10), plane(8), motion(0, 0, -11)[:, None])
    assert StructureConsistencyLoss()(outputs) == 0
    assert outputs.notes['structure_valid'] == 0


# --- against loops


def naive_loss(outputs, occlusion):
    """Pixel by pixel, from depths and not from inverse depths where that is possible."""
    per_sample = []
    for b in range(len(outputs.target)):
        draw = uniform(outputs.draw_key, 'structure_source')[b, 0]
        s = int(draw * outputs.sources.shape[1])
        inverse = 1 / outputs.rerun.depths[s, 0]
        disp = outputs.disps[0][b, 0]
        T, K = outputs.T_source_target[b, s], outputs.K[b]
        values = []
        for v in range(H):
            for u in range(W):
                depth = 1 / (1 / RANGE[1] + (1 / RANGE[0] - 1 / RANGE[1]) * disp[v, u])
                point = torch.linalg.inv(K) @ torch.tensor([u, v, 1.0]).double() * depth
                point = T[:3, :3] @ point + T[:3, 3]
                x, y = (K @ point)[:2] / point[2]
                if point[2] <= 0 or not (-0.5 <= x <= W - 0.5 and -0.5 <= y <= H - 0.5):
                    continue
                x, y = x.clamp(0, W - 1), y.clamp(0, H - 1)
                x0, y0 = int(x.clamp(max=W - 2)), int(y.clamp(max=H - 2))
                wx, wy = x - x0, y - y0
                warped = (
                    inverse[y0, x0] * (1 - wx) * (1 - wy)
                    + inverse[y0, x0 + 1] * wx * (1 - wy)
                    + inverse[y0 + 1, x0] * (1 - wx) * wy
                    + inverse[y0 + 1, x0 + 1] * wx * wy
                )
                warped = 1 / warped
                values.append((point[2] - warped) / (point[2] + warped))
        values = torch.stack(values)
        median = values.detach().sort().values[(len(values) - 1) // 2]
        kept = values[values.detach() - median <= occlusion]
        per_sample.append(kept.abs().mean())
    return torch.stack(per_sample).mean()


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('occlusion', [0.01, 0.2])
def test_equals_loops_in_value_and_gradient(seed, occlusion):
    outputs, vectors = random_case(seed=seed)
    disp = outputs.disps[0].requires_grad_()
    vectors = vectors.requires_grad_()
    rotation = axis_angle_to_rotation(vectors[..., :3])
    outputs.T_source_target = compose_transform(rotation, vectors[..., 3:])
    loss = StructureConsistencyLoss(occlusion=occlusion, loss_weight=1.0)(outputs)
    expected = naive_loss(outputs, occlusion)
    assert abs(loss - expected) < 1e-10
    grads = torch.autograd.grad(loss, (disp, vectors), retain_graph=True)
    for grad, reference in zip(grads, torch.autograd.grad(expected, (disp, vectors)), strict=True):
        assert reference.abs().max() > 1e-6
        assert (grad - reference).abs().max() < 1e-9


def test_gradcheck():
    outputs, vectors = random_case(batch=1)

    def loss(disp, vectors):
        T = compose_transform(axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:])
        return StructureConsistencyLoss()(
            replace(outputs, disps=[disp], T_source_target=T, memo={})
        )

    leaves = outputs.disps[0].requires_grad_(), vectors.requires_grad_()
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-7, atol=1e-5)


def test_the_source_is_drawn_per_sample_and_by_key():
    outputs, _ = random_case(batch=16, count=2)
    structure_difference(outputs)
    index = outputs.memo['source_inverse_depth'][1][0]
    assert 0 < index.double().mean() < 1
    expected = (uniform(outputs.draw_key, 'structure_source')[:, 0] * 2).long()
    assert torch.equal(index, expected)
    # a permuted batch: the same difference for every sample
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    again = replace(outputs, memo={})
    for name in ('target', 'sources', 'T_source_target', 'K', 'inv_K', 'draw_key'):
        setattr(again, name, getattr(outputs, name)[order])
    again.disps = [outputs.disps[0][order]]
    first, second = structure_difference(outputs), structure_difference(again)
    assert (first.difference[order] - second.difference).abs().max() < 1e-12


def test_one_extra_pass_however_many_ask():
    outputs, _ = random_case()
    weight = MODELS.build(dict(type='StructureWeight'))
    outputs.pixel_weights['structure'] = weight(outputs)
    StructureConsistencyLoss()(outputs)
    StructureConsistencyLoss(occlusion=0.1)(outputs)
    assert outputs.rerun.calls == ['source']
    # other objects are not answered with results of the first
    changed = replace(outputs, disps=[outputs.disps[0] * 1.1])
    assert StructureConsistencyLoss()(changed) != StructureConsistencyLoss()(outputs)


def test_samples_count_alike_and_weights_are_respected():
    values = torch.tensor([[1.0, 3.0], [10.0, 20.0]]).reshape(2, 1, 1, 2)
    mask = torch.tensor([[True, True], [True, False]]).reshape(2, 1, 1, 2)
    assert masked_mean(values, mask) == (2 + 10) / 2
    assert masked_mean(values, mask & False) == 0
    outputs, _ = random_case()
    weight = (torch.rand(2, 1, H, W, dtype=torch.float64) > 0.5).double()
    outputs.pixel_weights['moving'] = weight
    loss = StructureConsistencyLoss(weights=['moving'], loss_weight=1.0)(outputs)
    difference, valid = structure_difference(outputs)
    both = valid * weight
    expected = ((difference * both).sum((1, 2, 3)) / both.sum((1, 2, 3))).mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    with pytest.raises(KeyError, match="names 'other', model.pixel_weights has"):
        StructureConsistencyLoss(weights=['other'])(outputs)
    with pytest.raises(TypeError, match='sequence of names'):
        StructureConsistencyLoss(weights='moving')


def test_sample_median():
    g = torch.Generator().manual_seed(0)
    values, valid = torch.rand(5, 1, 6, 7, generator=g), torch.rand(5, 1, 6, 7, generator=g) < 0.5
    valid[3] = False
    median = sample_median(values, valid)
    for b in range(5):
        kept = values[b][valid[b]].sort().values
        assert median[b] == (kept[(len(kept) - 1) // 2] if len(kept) else 0)
    assert torch.equal(sample_median(values), values.flatten(1).median(1).values)


# --- texture disambiguation


def naive_bounded(inv_depth, floor):
    flat = inv_depth.flatten(1)
    middle = flat.sort(1).values[:, (flat.shape[1] - 1) // 2]
    return (flat / middle[:, None].detach() + floor).log()


def test_relative_difference_equals_loops_and_ignores_scale():
    g = torch.Generator().manual_seed(1)
    inv = (torch.rand(3, 1, 5, 6, generator=g, dtype=torch.float64) + 0.2).requires_grad_()
    other = torch.rand(3, 1, 5, 6, generator=g, dtype=torch.float64) + 0.2
    value = relative_difference(inv, other, 0.5)
    expected = (naive_bounded(inv, 0.5) - naive_bounded(other, 0.5)).abs().mean()
    assert abs(value - expected) < 1e-12
    grad, reference = (torch.autograd.grad(v, inv)[0] for v in (value, expected))
    assert (grad - reference).abs().max() < 1e-12
    scaled = relative_difference(inv * torch.tensor([2.0, 5, 0.1]).reshape(3, 1, 1, 1), other, 0.5)
    assert torch.isclose(scaled, value)
    assert relative_difference(7 * other, other) < 1e-12


def test_relative_difference_is_bounded_far_away():
    """Without a floor a point ten times as far differs by log 10 wherever it is; with a floor of 1
    what is far has hardly a say, as in view synthesis."""
    inv = torch.full((1, 1, 3, 3), 1.0, dtype=torch.float64)
    inv[..., 0, 0] = 0.01
    farther = inv.clone()
    farther[..., 0, 0] = 0.001
    assert abs(9 * relative_difference(farther, inv, 0.0) - math.log(10)) < 1e-12
    assert abs(9 * relative_difference(farther, inv, 1.0) - math.log(1.01 / 1.001)) < 1e-12


@MODELS.register_module(force=True)
class HalfDarkForTest(torch.nn.Module):
    """A perturbation with a known result: the left half becomes 0."""

    def forward(self, image, draw_key):
        mask = torch.zeros_like(image[:, :1])
        mask[..., : image.shape[-1] // 2] = 1
        return PerturbedTexture(image * (1 - mask), mask, mask, mask, image, image)


def texture_case(batch=2, height=24, width=40):
    """`outputs` with random images and a network whose disparity is a learnt factor of grey."""
    g = torch.Generator().manual_seed(2)

    def images(*shape):
        noise = torch.rand(*shape, 3, height, width, generator=g, dtype=torch.float64)
        return 0.2 + 0.6 * noise

    K = torch.tensor([[30.0, 0, 19.5], [0, 30.0, 11.5], [0, 0, 1]]).double().expand(batch, 3, 3)
    factor = torch.tensor(0.02, dtype=torch.float64, requires_grad=True)
    vectors = (torch.randn(batch, 2, 3, generator=g, dtype=torch.float64) * 0.2).requires_grad_()
    target = images(batch)

    def net(image, name):
        names.append(name)
        grey = image.mean(1, keepdim=True)
        return [0.01 + factor * grey, torch.full_like(grey[..., ::2, ::2], 0.5)]

    names = []
    clean = net(target, 'clean')
    clean[0].retain_grad()
    outputs = StepOutputs(
        target=target,
        sources=images(batch, 2),
        disps=clean,
        T_source_target=compose_transform(
            axis_angle_to_rotation(torch.zeros_like(vectors)), vectors
        ),
        K=K,
        inv_K=torch.linalg.inv(K),
        depth_range=RANGE,
        draw_key=torch.tensor([make_key(0, i) for i in range(batch)]),
        rerun=net,
        pixel_weights={},
        notes=dict(auto_mask_share='of the clean pass'),
    )
    return outputs, factor, vectors, names


def texture_loss(**options):
    return TextureDisambiguationLoss(perturbation=dict(type='HalfDarkForTest'), **options)


def test_texture_loss_is_consistency_plus_photometric_at_the_finest_scale():
    from mmscd.models.losses import PhotometricLoss

    outputs, *_, names = texture_case()
    loss = texture_loss(consistency_weight=0.3, photometric_weight=0.9, loss_weight=0.5)(outputs)
    assert names == ['clean', 'perturbed']
    perturbed = outputs.perturbed
    assert not perturbed.image[..., :20].any() and not perturbed.image.requires_grad
    disp = outputs.rerun(perturbed.image, 'perturbed')[0]
    depths = [1 / (0.01 + 9.99 * d) for d in (disp, outputs.disps[0])]
    ours, theirs = (naive_bounded(1 / depth, 1.0) for depth in depths)
    consistency = (ours - theirs).abs().mean()
    clean = replace(outputs, disps=[disp], notes={})
    expected = 0.5 * (0.3 * consistency + 0.9 * PhotometricLoss()(clean))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    notes = outputs.notes
    assert notes['auto_mask_share'] == 'of the clean pass'
    assert notes['texture_consistency'].item() == pytest.approx(consistency.item())
    assert notes['texture_share'] == 0.5
    assert not any('loss' in name for name in notes)


def test_texture_loss_respects_pixel_weights():
    outputs, *_ = texture_case()
    # a weight of nothing at all leaves only the consistency
    outputs.pixel_weights['none'] = torch.zeros_like(outputs.target[:, :1])
    loss = texture_loss(consistency_weight=1.0, loss_weight=1.0)(outputs)
    assert loss.item() == pytest.approx(outputs.notes['texture_consistency'].item())


def test_texture_loss_teaches_neither_the_clean_depth_nor_the_pose():
    outputs, factor, vectors, _ = texture_case()
    texture_loss()(outputs).backward()
    assert factor.grad.abs() > 0
    assert vectors.grad is None and outputs.disps[0].grad is None


def test_texture_loss_with_the_real_perturbation_runs():
    outputs, factor, *_ = texture_case()
    loss = TextureDisambiguationLoss()(outputs)
    assert loss > 0 and torch.autograd.grad(loss, factor)[0] != 0


def test_texture_loss_of_a_share_of_the_batch_is_the_loss_of_its_first_images():
    options = dict(consistency_weight=0.3, photometric_weight=0.9)
    outputs, *_ = texture_case(batch=4)
    outputs.pixel_weights['left'] = (torch.arange(40) < 25).double().expand(4, 1, 24, 40)
    whole = replace(outputs, notes={}, memo={})
    loss = texture_loss(samples=0.5, **options)(outputs)
    assert outputs.perturbed.image.shape[0] == 2

    for name in ('target', 'sources', 'T_source_target', 'K', 'inv_K', 'draw_key'):
        setattr(whole, name, getattr(whole, name)[:2])
    whole.disps = [d[:2] for d in whole.disps]
    whole.pixel_weights = dict(left=outputs.pixel_weights['left'][:2])
    assert loss.item() == pytest.approx(texture_loss(**options)(whole).item(), abs=1e-12)
    assert loss.item() != pytest.approx(texture_loss(**options)(texture_case(batch=4)[0]).item())


def test_texture_loss_of_a_small_batch_has_at_least_one_image():
    outputs, *_ = texture_case(batch=1)
    assert texture_loss(samples=0.25)(outputs) > 0
    with pytest.raises(ValueError, match='samples is a share'):
        texture_loss(samples=0.0)

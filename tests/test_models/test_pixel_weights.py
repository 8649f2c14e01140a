"""Pixel weights: what they say, and that the photometric loss listens."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmscd.geometry import axis_angle_to_rotation, compose_transform
from mmscd.models.losses import (
    PhotometricLoss,
    identity_error,
    photometric_error,
    structure_difference,
    synthesise_views,
    upsample_disps,
)
from mmscd.models.outputs import StepOutputs
from mmscd.models.pixel_weights import MovingObjectWeight, StructureWeight
from mmscd.models.pixel_weights.moving_object import movable_ids, movable_mask, window_mean
from mmscd.ops import minimum_reprojection
from mmscd.registry import MODELS
from mmscd.utils.keyed_random import make_key

CAR = 13


def make_outputs(batch=2, height=24, width=40, seed=0):
    """Random float64 `outputs` with two scales and two sources."""
    g = torch.Generator().manual_seed(seed)

    def images(*shape):
        noise = torch.rand(*shape, 3, height, width, generator=g, dtype=torch.float64)
        return F.avg_pool2d(noise.flatten(0, -4), 3, 1, 1).reshape(*shape, 3, height, width)

    K = torch.tensor([[30.0, 0, 19.5], [0, 30.0, 11.5], [0, 0, 1]]).double().expand(batch, 3, 3)
    vectors = torch.randn(batch, 2, 6, generator=g, dtype=torch.float64)
    vectors = vectors * torch.tensor([0.01] * 3 + [0.2] * 3)

    def disp(*size):
        return torch.rand(batch, 1, *size, generator=g, dtype=torch.float64) * 0.05 + 0.01

    return StepOutputs(
        target=images(batch),
        sources=images(batch, 2),
        disps=[disp(height, width).requires_grad_(), disp(height // 2, width // 2)],
        T_source_target=compose_transform(
            axis_angle_to_rotation(vectors[..., :3]), vectors[..., 3:]
        ),
        K=K,
        inv_K=torch.linalg.inv(K),
        depth_range=(0.1, 100.0),
        draw_key=torch.tensor([make_key(0, i) for i in range(batch)]),
        rerun=lambda image, name: [disp(height, width)],
        pixel_weights={},
        notes={},
    )


# --- PhotometricLoss


def test_no_weights_and_weights_of_one_are_the_plain_mean():
    outputs = make_outputs()
    plain = PhotometricLoss()(outputs)
    outputs.pixel_weights = dict(one=torch.ones(2, 1, 24, 40, dtype=torch.float64))
    assert torch.isclose(PhotometricLoss()(outputs), plain, rtol=1e-12)


def test_weights_multiply_and_samples_count_alike():
    outputs = make_outputs()
    g = torch.Generator().manual_seed(5)
    first, second = (torch.rand(2, 1, 24, 40, generator=g, dtype=torch.float64) for _ in range(2))
    first[0, ..., 10:] = 0
    outputs.pixel_weights = dict(first=first, second=second)
    loss = PhotometricLoss(loss_weight=0.5)(outputs)
    disps = upsample_disps(outputs.disps, 24, 40)
    camera = outputs.T_source_target, outputs.K, outputs.inv_K
    views = synthesise_views(outputs.sources, 1 / (0.01 + 9.99 * disps), *camera)
    error = photometric_error(views, outputs.target)
    error, _ = minimum_reprojection(error, identity_error(outputs))
    total = 0
    for b in range(2):
        weight = first[b, 0] * second[b, 0]
        for k in range(2):
            total = total + (weight * error[b, k]).sum() / weight.sum()
    assert loss.item() == pytest.approx(0.5 * total.item() / 4, abs=1e-12)


def test_a_sample_without_weight_counts_as_zero():
    outputs = make_outputs()
    weight = torch.ones(2, 1, 24, 40, dtype=torch.float64)
    weight[1] = 0
    outputs.pixel_weights = dict(w=weight)
    half = PhotometricLoss()(outputs)
    for name in ('target', 'sources', 'T_source_target', 'K', 'inv_K'):
        setattr(outputs, name, getattr(outputs, name)[:1])
    outputs.disps, outputs.pixel_weights = [d[:1] for d in outputs.disps], {}
    assert torch.isclose(2 * half, PhotometricLoss()(outputs))


def test_scales_that_are_judged():
    outputs = make_outputs()
    alone = [PhotometricLoss(scales=[k])(outputs) for k in (0, 1)]
    assert torch.isclose(sum(alone) / 2, PhotometricLoss()(outputs))
    assert torch.isclose(alone[0], PhotometricLoss()(replace(outputs, disps=outputs.disps[:1])))
    with pytest.raises(ValueError, match='at least one scale'):
        PhotometricLoss(scales=[])


def test_identity_error_is_made_once_and_anew_for_other_images():
    outputs = make_outputs()
    first = identity_error(outputs)
    assert identity_error(outputs) is first and not first.requires_grad
    changed = replace(outputs, target=outputs.target * 0.9)
    assert not torch.equal(identity_error(changed), first)


# --- StructureWeight


def test_structure_weight_is_one_minus_the_difference():
    outputs = make_outputs()
    outputs.sources.requires_grad_()
    weight = MODELS.build(dict(type='StructureWeight'))(outputs)
    difference, valid = structure_difference(outputs)
    assert difference.requires_grad and not weight.requires_grad
    assert torch.equal(weight, torch.where(valid, 1 - difference, 1))
    assert (weight[~valid] == 1).all() and 0 < weight.min() < 1
    assert StructureWeight(minimum=0.9)(outputs).min() == 0.9
    with pytest.raises(ValueError, match=r'minimum must lie in \[0, 1\], got 2'):
        StructureWeight(minimum=2)


# --- MovingObjectWeight


def logits_of(classes, number=19, sharp=20.0):
    """(B, 19, h, w) logits that mean the classes (B, h, w)."""
    return sharp * F.one_hot(classes, number).permute(0, 3, 1, 2).float()


def test_movable_mask():
    classes = torch.zeros(1, 6, 10, dtype=torch.long)
    classes[0, 2:4, 3:7] = CAR
    classes[0, 5] = 11
    mask = movable_mask(logits_of(classes), (24, 40), [11, CAR])
    expected = (classes == CAR) | (classes == 11)
    # exact but for the rim, where classes are interpolated
    full = expected.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert (mask[0, 0] != full[0]).float().mean() < 0.08
    assert mask[0, 0, 8:16, 12:28].float().mean() > 0.7
    # two classes that share their mass are movable together
    shared = torch.zeros(1, 19, 2, 2)
    shared[:, [11, CAR, 0]] = torch.tensor([5.0, 5.0, 5.5]).reshape(1, 3, 1, 1)
    assert movable_mask(shared, (4, 4), [11, CAR]).all()
    assert not movable_mask(shared, (4, 4), [CAR]).any()
    with pytest.raises(ValueError, match='the teacher knows 19 classes'):
        movable_mask(shared, (4, 4), [19])


def test_movable_classes_go_by_the_teachers_names(caplog):
    ade = ['wall', 'road', 'sidewalk', 'person', 'earth', 'Car', 'plant', 'truck', 'bicycle', 'van']
    assert movable_ids(None, ade, 10) == (3, 5, 7, 8, 9)
    assert movable_ids(['car', 'person'], ade, 10) == (5, 3)
    assert movable_ids((1, 2), ade, 10) == (1, 2)
    assert movable_ids(None, None, 19) == tuple(range(11, 19))
    for classes, names, count in (
        (None, ['wall', 'road'], 2),
        (['tram'], ade, 10),
        (None, None, 150),
    ):
        with pytest.raises(ValueError, match='MovingObjectWeight: the teacher does not know'):
            movable_ids(classes, names, count)
    outputs, _ = driving(1.0)
    logits = torch.full((1, 10, 24, 48), -20.0)
    logits[:, 5] = 20
    outputs.teacher = dict(logits=logits, classes=ade)
    assert not MovingObjectWeight(mode='all')(outputs).any()
    logits[:, 5], logits[:, 4] = -20, 20
    assert MovingObjectWeight(mode='all')(outputs).all()
    teacher = torch.nn.Module()
    teacher.classes, teacher.num_classes = ade, 10
    MovingObjectWeight().check_teacher(teacher)
    teacher.classes = ['wall', 'road']
    with pytest.raises(ValueError, match='wall, road'):
        MovingObjectWeight().check_teacher(teacher)


def test_window_mean_equals_loops():
    g = torch.Generator().manual_seed(0)
    values = torch.rand(1, 1, 9, 13, generator=g, dtype=torch.float64)
    mask = torch.rand(1, 1, 9, 13, generator=g) < 0.4
    out = window_mean(values, mask, 5)
    for v in range(9):
        for u in range(13):
            rows, columns = slice(max(v - 2, 0), v + 3), slice(max(u - 2, 0), u + 3)
            inside = values[0, 0, rows, columns][mask[0, 0, rows, columns]]
            expected = inside.mean() if len(inside) else 0
            assert out[0, 0, v, u].item() == pytest.approx(float(expected), abs=1e-9)


def driving(car_moves, hole=False, height=48, width=96):
    """A street of two walls; the camera moves right; a car that is parked or keeps up with it.

    Returns `outputs` with the teacher's view of it and the car's mask. Depth is right, but that the
    car may be a hole at 100 m.
    """
    g = torch.Generator().manual_seed(3)
    texture = torch.rand(3, height + 4, width + 60, generator=g)
    texture = F.avg_pool2d(texture, 3, 1, 1)
    # 4 px of the wall at 10 m, 8 px of the car at 5 m per frame
    fx, shift, far, near = 50.0, 0.8, 10.0, 5.0
    car = torch.zeros(height, width, dtype=torch.bool)
    car[20:40, 40:64] = True

    def picture(frame):
        image = texture[:, :height, 20 + 4 * frame :][..., :width].clone()
        offset = 0 if car_moves else -8 * frame
        # another part of the texture is the car's paint
        image[:, 20:40, 40 + offset : 64 + offset] = texture[:, 4:24, 1:25]
        return image

    depth = torch.full((1, 1, height, width), far)
    depth[..., car] = 100.0 if hole else near
    disp = (1 / depth - 0.01) / 9.99

    K = torch.tensor([[[fx, 0, 47.5], [0, fx, 23.5], [0, 0, 1]]])
    T = torch.eye(4).repeat(1, 2, 1, 1)
    T[0, 0, 0, 3], T[0, 1, 0, 3] = shift, -shift
    classes = torch.zeros(1, height, width, dtype=torch.long)
    classes[0, car] = CAR
    return (
        StepOutputs(
            target=picture(0)[None],
            sources=torch.stack([picture(-1), picture(1)])[None],
            disps=[disp.clamp(0, 1)],
            T_source_target=T,
            K=K,
            inv_K=torch.linalg.inv(K),
            depth_range=(0.1, 100.0),
            draw_key=torch.tensor([5]),
            # the network sees the same depth in every frame
            rerun=lambda image, name: [disp.clamp(0, 1)],
            pixel_weights={},
            notes={},
            teacher=dict(logits=logits_of(classes), feats=[]),
        ),
        car,
    )


@pytest.mark.parametrize('hole', [False, True])
def test_a_car_that_keeps_up_is_taken_out(hole):
    outputs, car = driving(car_moves=True, hole=hole)
    weight = MovingObjectWeight(threshold=None)(outputs)
    # but for single pixels of its rim, where windows see the street that slides by
    assert weight.shape == (1, 1, 48, 96) and weight[0, 0][car].mean() < 0.01
    assert weight[0, 0][~car].all()
    share = outputs.notes['moving_share'].item()
    assert share == pytest.approx(car.float().mean().item(), rel=0.01)


def test_a_parked_car_stays():
    outputs, car = driving(car_moves=False)
    weight = MovingObjectWeight(threshold=None)(outputs)
    assert weight.all()
    assert outputs.notes['moving_share'] == 0
    everything = MovingObjectWeight(mode='all')(outputs)
    assert not everything[0, 0][car].any() and everything[0, 0][~car].all()
    # a class that is not movable by config
    assert MovingObjectWeight(mode='all', classes=(11,))(outputs).all()


def test_contradicting_depths_are_taken_out():
    """Near in the target, nearer in the source; the images are not asked."""
    outputs, car = driving(car_moves=False)
    outputs.T_source_target = torch.eye(4).repeat(1, 2, 1, 1)
    disp = outputs.disps[0].clone()
    weight = MovingObjectWeight(tolerance=None, occlusion=None)
    outputs.rerun = lambda image, name: [disp * 3]
    # every depth of the source is about a third: (1 - 1/3) / (1 + 1/3) = 0.5 everywhere
    out = weight(outputs)
    assert not out[0, 0][car].any() and out[0, 0][~car].all()
    outputs.rerun = lambda image, name: [disp * 1.2]
    assert weight(outputs).all()


def test_without_a_teacher():
    outputs, _ = driving(car_moves=True)
    teacher, outputs.teacher = outputs.teacher, None
    assert MovingObjectWeight.needs == ('teacher',)
    assert MovingObjectWeight()(outputs).all()
    assert outputs.notes['moving_share'] == 0
    with pytest.raises(ValueError, match='there is no outputs.teacher;'):
        MovingObjectWeight(require=True)(outputs)
    outputs.teacher = dict(teacher, logits=None)
    with pytest.raises(ValueError, match='needs_logits=True'):
        MovingObjectWeight()(outputs)


def test_refusals():
    with pytest.raises(ValueError, match="got 'some'"):
        MovingObjectWeight(mode='some')
    with pytest.raises(ValueError, match='got neither'):
        MovingObjectWeight(threshold=None, tolerance=None)
    with pytest.raises(ValueError, match='at least one'):
        MovingObjectWeight(classes=())


def test_the_map_keeps_its_gradient_for_the_loss():
    """The weight runs without gradient and must not spoil the map that the loss shares."""
    outputs, _ = driving(car_moves=True)
    outputs.disps[0].requires_grad_()
    weight = MovingObjectWeight()(outputs)
    assert not weight.requires_grad
    assert structure_difference(outputs).difference.requires_grad

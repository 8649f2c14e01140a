"""The device-side preprocessing: flips that keep the geometry, colours against plain formulas."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmscd.geometry import axis_angle_to_rotation, compose_transform, proj
from mmscd.models import DepthDataPreprocessor
from mmscd.models.data_preprocessor import ColourJitter
from mmscd.utils.keyed_random import make_key, uniform

H, W = 10, 16
NO_JITTER = dict(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)


def make_data(batch=3, frames=2, stereo=True, seed=0, size=(H, W)):
    """What the loader puts out."""
    g = torch.Generator().manual_seed(seed)
    K = torch.tensor([[14.0, 0, 7.1], [0, 13, 4.4], [0, 0, 1]]).repeat(batch, 1, 1)
    inputs = dict(
        frames=torch.randint(0, 256, (batch, frames, 3, *size), generator=g, dtype=torch.uint8),
        K=K,
        draw_key=torch.tensor([make_key(seed, position) for position in range(batch)]),
    )
    if stereo:
        vectors = torch.randn(batch, 6, generator=g) * torch.tensor([0.05] * 3 + [0.4] * 3)
        inputs['T_stereo'] = compose_transform(
            axis_angle_to_rotation(vectors[:, :3]), vectors[:, 3:]
        )
    return dict(inputs=inputs, data_samples=['sample'] * batch)


def run(data, training=True, **kwargs):
    return DepthDataPreprocessor(**kwargs)(data, training)['inputs']


def test_evaluation_only_scales_and_normalises():
    data = make_data()
    out = DepthDataPreprocessor(flip_prob=1, jitter_prob=1)(data, training=False)
    inputs, frames = out['inputs'], data['inputs']['frames']
    assert torch.equal(inputs['frames'], frames.float() / 255)
    for c, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        expected = (frames[:, :, c].double() / 255 - mean) / std
        assert (inputs['network_input'][:, :, c] - expected).abs().max() < 1e-5
    assert torch.equal(inputs['K'], data['inputs']['K'])
    assert torch.equal(inputs['T_stereo'], data['inputs']['T_stereo'])
    assert torch.allclose(inputs['inv_K'] @ inputs['K'], torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.equal(inputs['draw_key'], data['inputs']['draw_key'])
    assert out['data_samples'] == data['data_samples']
    assert data['inputs']['frames'].dtype == torch.uint8  # the loader's batch is left alone


def test_per_image_normalisation_equals_the_formula():
    height, width = 27, 43  # not whole blocks: what is left over at the end does not count
    data = make_data(size=(height, width))
    out = DepthDataPreprocessor(per_image=True)(data, training=False)['inputs']
    frames = data['inputs']['frames'].double().numpy() / 255
    for b, f, c in np.ndindex(frames.shape[:3]):
        channel = frames[b, f, c]
        blocks = [
            channel[y : y + 8, x : x + 8].mean()
            for y in range(0, height - 7, 8)
            for x in range(0, width - 7, 8)
        ]
        expected = (channel - np.mean(blocks)) / np.std(blocks)
        error = np.abs(out['network_input'][b, f, c].numpy() - expected).max()
        # noise is 17 deviations of its blocks' means high
        assert error < 5e-6 * np.abs(expected).max()


def test_per_image_normalisation_drops_exposure_contrast_and_colour_of_the_light():
    normalise = DepthDataPreprocessor(per_image=True).normalise
    image = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    image = F.interpolate(image, (32, 48), mode='bilinear')
    gain = torch.tensor([[0.1, 0.3, 0.2], [0.5, 0.9, 0.7]])[..., None, None]
    torch.testing.assert_close(normalise(gain * image + 0.05), normalise(image), rtol=0, atol=1e-5)
    constant = DepthDataPreprocessor().normalise
    assert (constant(gain * image + 0.05) - constant(image)).abs().max() > 1


def test_noise_hardly_changes_per_image_normalisation():
    normalise = DepthDataPreprocessor(per_image=True).normalise
    ramp = torch.linspace(0.3, 0.7, 96).expand(1, 3, 64, 96)
    noise = 0.2 * torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    shift = F.avg_pool2d(normalise(ramp + noise) - normalise(ramp), 32)
    # by the deviation of pixels, 0.23 instead of 0.12, the ramp would shrink to half
    assert shift.abs().max() < 0.15


def test_per_image_normalisation_leaves_flat_images_flat():
    normalise = DepthDataPreprocessor(per_image=True).normalise
    noise = torch.rand(1, 3, H, W) * 1e-4
    assert normalise(torch.full((1, 3, H, W), 0.5)).abs().max() == 0
    assert normalise(0.5 + noise).abs().max() < 0.05


def test_checkpoints_remember_the_normalisation():
    constant, own = DepthDataPreprocessor(), DepthDataPreprocessor(per_image=True)
    assert not constant.state_dict()
    assert list(own.state_dict()) == ['normalise.per_image']
    DepthDataPreprocessor(per_image=True).load_state_dict(own.state_dict(), strict=True)
    with pytest.raises(ValueError, match='per_image=True'):
        constant.load_state_dict(own.state_dict())
    own.load_state_dict({}, strict=True)  # a training may start from the baseline's weights


def test_flip_moves_points_with_the_pixels():
    """Where a 3-D point is seen, before and after, in the target and in the stereo partner."""
    data = make_data()
    before, after = data['inputs'], run(data, flip_prob=1)
    assert torch.equal(after['frames'], (before['frames'].float() / 255).flip(-1))
    assert torch.allclose(after['inv_K'], torch.linalg.inv(after['K']), atol=1e-6)
    point = torch.tensor([0.7, -0.4, 5.0, 1.0])
    mirrored = point * torch.tensor([-1.0, 1, 1, 1])
    for b in range(3):
        for T, T_flipped in (
            (torch.eye(4), torch.eye(4)),
            (before['T_stereo'][b], after['T_stereo'][b]),
        ):
            x = before['K'][b] @ (T @ point)[:3]
            y = after['K'][b] @ (T_flipped @ mirrored)[:3]
            assert y[0] / y[2] == pytest.approx((W - 1 - x[0] / x[2]).item(), abs=1e-4)
            assert y[1] / y[2] == pytest.approx((x[1] / x[2]).item(), abs=1e-4)


def test_flip_commutes_with_warping():
    """The flipped sample's warped source is the flipped warped source."""
    data = make_data()
    plain, flipped = run(data, flip_prob=0), run(data, flip_prob=1)
    depth = torch.rand(3, 1, H, W, generator=torch.Generator().manual_seed(1)) * 8 + 2
    views = []
    for inputs, map_ in ((plain, depth), (flipped, depth.flip(-1))):
        source = inputs['frames'][:, 1]
        views.append(proj(source, map_, inputs['T_stereo'], inputs['K'], inputs['inv_K'])[0])
    assert (views[0] - plain['frames'][:, 1]).abs().max() > 0.1
    assert (views[1] - views[0].flip(-1)).abs().max() < 1e-3


def test_shares_of_flips_and_jitters_and_their_independence():
    data = make_data(batch=3000, frames=1, stereo=False, size=(2, 2))
    out = run(data, flip_prob=0.3, jitter_prob=0.6)
    clean = data['inputs']['frames'].float() / 255
    flipped = out['K'][:, 0, 2] != data['inputs']['K'][:, 0, 2]
    assert torch.equal(
        out['frames'], torch.where(flipped[:, None, None, None, None], clean.flip(-1), clean)
    )
    plain = DepthDataPreprocessor()
    seen = plain.normalise.to_picture(out['network_input'])
    jittered = ((seen - out['frames']).abs().amax((1, 2, 3, 4))) > 1e-4
    for share, expected in (
        (flipped, 0.3),
        (jittered, 0.6),
        (flipped & jittered, 0.18),
    ):
        assert abs(share.double().mean() - expected) < 4 * math.sqrt(
            expected * (1 - expected) / 3000
        )


def naive_jitter(frames, draws, ranges):
    """One sample (F, 3, H, W), float64, step by step: hue and saturation in YIQ, brightness, then
    contrast about the mean luma."""
    factors = [1 + r * (2 * d - 1) for r, d in zip(ranges[:3], draws[:3], strict=True)]
    angle = 2 * math.pi * ranges[3] * (2 * draws[3] - 1)
    r, g, b = frames.double().unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    i = 0.5959 * r - 0.2746 * g - 0.3213 * b
    q = 0.2115 * r - 0.5227 * g + 0.3112 * b
    i, q = math.cos(angle) * i - math.sin(angle) * q, math.sin(angle) * i + math.cos(angle) * q
    i, q = factors[2] * i, factors[2] * q
    yiq = torch.tensor(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]],
        dtype=torch.float64,
    )
    colours = torch.einsum('ij,fjhw->fihw', torch.linalg.inv(yiq), torch.stack([y, i, q], 1))
    colours = factors[0] * colours
    luma = 0.299 * colours[:, 0] + 0.587 * colours[:, 1] + 0.114 * colours[:, 2]
    return (factors[1] * colours + (1 - factors[1]) * luma.mean()).clamp(0, 1)


def test_jitter_equals_the_formulas_step_by_step():
    g = torch.Generator().manual_seed(2)
    frames = torch.rand(6, 3, 3, H, W, generator=g)
    draws = torch.rand(6, 4, generator=g, dtype=torch.float64)
    ranges = dict(brightness=0.3, contrast=0.4, saturation=0.5, hue=0.2)
    out = ColourJitter(**ranges)(frames, draws)
    assert out.dtype == torch.float32 and out.min() == 0 and out.max() == 1  # clamped
    for b in range(6):
        expected = naive_jitter(frames[b], draws[b].tolist(), list(ranges.values()))
        assert (out[b] - expected).abs().max() < 1e-5


def test_zero_ranges_change_nothing():
    frames = torch.rand(2, 2, 3, H, W)
    out = ColourJitter(**NO_JITTER)(frames, torch.rand(2, 4, dtype=torch.float64))
    assert (out - frames).abs().max() < 1e-6
    assert torch.equal(run(make_data(), jitter_prob=0)['frames'], run(make_data())['frames'])


def test_brightness_alone_multiplies():
    frames = torch.rand(3, 2, 3, H, W) * 0.8
    draws = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64).repeat(1, 4)
    out = ColourJitter(**NO_JITTER | dict(brightness=0.2))(frames, draws)
    for b, factor in enumerate((0.8, 1.0, 1.2)):
        assert (out[b] - factor * frames[b]).abs().max() < 1e-6


def test_hue_and_saturation_keep_luma_and_grey():
    matrix, contrast = ColourJitter(**NO_JITTER | dict(saturation=0.9, hue=0.5)).matrix(
        torch.rand(50, 4, dtype=torch.float64)
    )
    assert (matrix.sum(-1) - 1).abs().max() < 2e-3  # the rows of YIQ sum to zero to four digits
    luma = torch.tensor([0.299, 0.587, 0.114])
    assert (luma @ matrix - luma).abs().max() < 1e-5
    assert torch.equal(contrast, torch.ones(50))


def test_ranges_of_the_draws():
    draws = uniform(torch.tensor([make_key(0, p) for p in range(4000)]), 'colour', 4)
    matrix, contrast = ColourJitter(**NO_JITTER | dict(brightness=0.2, contrast=0.4)).matrix(draws)
    brightness = matrix[:, 0, 0]
    for factor, half in ((brightness, 0.2), (contrast, 0.4)):
        assert 1 - half <= factor.min() < 1 - 0.98 * half
        assert 1 + 0.98 * half < factor.max() <= 1 + half
        assert abs(factor.mean() - 1) < 4 * half / math.sqrt(3 * 4000)


def test_all_frames_of_a_sample_are_jittered_alike():
    data = make_data(frames=3)
    data['inputs']['frames'][:] = data['inputs']['frames'][:, :1].clone()
    out = run(data, jitter_prob=1)
    seen = out['network_input']
    assert (seen - seen[:, :1]).abs().max() < 1e-6
    plain = DepthDataPreprocessor()
    change = (plain.normalise.to_picture(seen) - out['frames']).abs().amax((1, 2, 3, 4))
    assert (change > 0.01).all() and len(set(change.tolist())) == 3  # samples differ


def test_losses_get_clean_frames():
    data = make_data()
    out = run(data, flip_prob=0, jitter_prob=1)
    assert torch.equal(out['frames'], data['inputs']['frames'].float() / 255)


def test_draws_are_a_function_of_the_key_alone():
    """The same twice; alone as in a batch; in any place; whatever torch's generator is at."""
    data = make_data(batch=6)
    torch.manual_seed(0)
    whole = run(data)
    torch.manual_seed(1)
    again = run(data)
    order = [4, 2, 0, 5, 1, 3]
    shuffled = run(dict(inputs={k: v[order] for k, v in data['inputs'].items()}))
    assert len(set((whole['K'][:, 0, 2]).tolist())) == 2  # flipped ones and others
    for name, value in whole.items():
        assert torch.equal(value, again[name])
        assert torch.allclose(value[order], shuffled[name], atol=1e-6, rtol=0)
        for b in range(6):
            alone = run(dict(inputs={k: v[b : b + 1] for k, v in data['inputs'].items()}))
            assert torch.allclose(alone[name][0], value[b], atol=1e-6, rtol=0)


def test_mono_batches_need_no_stereo_pose():
    assert 'T_stereo' not in run(make_data(stereo=False), flip_prob=1)


@pytest.mark.parametrize(
    'change', [lambda f: f.float(), lambda f: f[0], lambda f: f[:, 0]], ids=['float', 'one', 'flat']
)
def test_wrong_frames_are_refused(change):
    data = make_data()
    data['inputs']['frames'] = change(data['inputs']['frames'])
    with pytest.raises(ValueError, match=r'must be uint8 \(B, F, 3, H, W\), got torch.* PackDepth'):
        run(data)


def test_a_normalisation_of_bytes_is_refused():
    with pytest.raises(ValueError, match=r'in \[0, 1\], got \(123.675, .*: divide by 255'):
        DepthDataPreprocessor(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


def test_autocast_around_a_step_does_not_coarsen_colours():
    data = make_data()
    with torch.autocast('cpu', torch.bfloat16):
        inside = run(data, jitter_prob=0.5)
    for name, value in run(data, jitter_prob=0.5).items():
        assert torch.equal(inside[name], value), name

"""The estimator: losses, order of poses, predictions, errors."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmscd.geometry import axis_angle_to_rotation, compose_transform, disp_to_depth
from mmscd.models import SelfSupervisedDepthEstimator
from mmscd.structures import DepthDataSample
from mmscd.utils.keyed_random import make_key

H, W = 64, 96
MONO, STEREO, BOTH = (0, -1, 1), (0, 's'), (0, -1, 1, 's')


@pytest.fixture(scope='module')
def build():
    """Builds a model; networks start the same every time."""

    def build(frame_ids=MONO, **kwargs):
        torch.manual_seed(0)
        encoder = dict(type='ResNetEncoder', depth=18)
        return SelfSupervisedDepthEstimator(
            backbone=encoder,
            disp_head=dict(type='DispHead', channels=(4, 4, 8, 8, 16)),
            pose_net=dict(type='PoseNet', encoder=dict(encoder, in_channels=6), channels=16),
            losses=dict(
                photometric=dict(type='PhotometricLoss'), smoothness=dict(type='SmoothnessLoss')
            ),
            frame_ids=frame_ids,
            **kwargs,
        )

    return build


def make_data(frames=3, batch=2, stereo=False, seed=0):
    """What the loader puts out."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch * frames, 3, 8, 12, generator=g) * 255
    pictures = F.interpolate(coarse, (H, W), mode='bilinear').to(torch.uint8)
    inputs = dict(
        frames=pictures.reshape(batch, frames, 3, H, W),
        K=torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]]).repeat(batch, 1, 1),
        draw_key=torch.tensor([make_key(seed, position) for position in range(batch)]),
    )
    if stereo:
        inputs['T_stereo'] = torch.eye(4).repeat(batch, 1, 1)
        inputs['T_stereo'][:, 0, 3] = -0.54
    sample = DepthDataSample(metainfo=dict(ori_shape=(100, 161), img_shape=(H, W)))
    return dict(inputs=inputs, data_samples=[copy.deepcopy(sample) for _ in range(batch)])


def prepared(model, data, training=False):
    return model.data_preprocessor(data, training)['inputs']


VARIANTS = [(MONO, 3, False), (STEREO, 2, True), (BOTH, 4, True)]


@pytest.mark.parametrize('frame_ids, frames, stereo', VARIANTS)
def test_losses_and_a_gradient_for_every_parameter(build, frame_ids, frames, stereo):
    """DDP raises where a parameter takes no part."""
    model = build(frame_ids).train()
    losses = model(prepared(model, make_data(frames, stereo=stereo), True), mode='loss')
    expected = {'loss_photometric', 'loss_smoothness', 'auto_mask_share'}
    expected |= {'disp_spread', 'disp_saturation', 'disp_saturation_far'}
    if frame_ids != STEREO:
        expected.add('pose_translation')
    assert set(losses) == expected
    assert all(value.ndim == 0 and value.isfinite() for value in losses.values())
    assert losses['loss_photometric'] > 0 and 0 <= losses['auto_mask_share'] <= 1
    total, logged = model.parse_losses(losses)
    assert total == losses['loss_photometric'] + losses['loss_smoothness'] == logged['loss']
    total.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without
    has_pose_net = any(name.startswith('pose_net') for name, _ in model.named_parameters())
    assert has_pose_net == (frame_ids != STEREO)


def test_diagnostics_say_what_they_are_named_for(build):
    model = build(BOTH).eval()
    inputs = prepared(model, make_data(4, stereo=True))
    losses = model(inputs, mode='loss')
    outputs = model.compute_outputs(inputs)
    disp = outputs.disps[0].detach()
    spread = torch.stack([d.std() / d.mean() for d in disp]).mean()
    assert losses['disp_spread'].item() == pytest.approx(spread.item(), rel=1e-5)
    steps = outputs.T_source_target[:, :2, :3, 3]
    lengths = [steps[b, s].norm().item() for b in range(2) for s in range(2)]
    assert losses['pose_translation'].item() == pytest.approx(sum(lengths) / 4, rel=1e-5)


@pytest.mark.parametrize(
    'left, right, spread, near, far',
    [
        (0.01, 0.03, 0.5, 0, 0),  # healthy
        (0.02, 0.02, 0, 0, 0),  # one constant
        (0.0, 0.0, 0, 0, 1),  # all at max_depth
        (1.0, 1.0, 0, 1, 0),  # all at min_depth
        (0.0, 1.0, 1, 0.5, 0.5),
        (0.0, 0.02, 1, 0, 0.5),  # half of it sky
    ],
)
def test_diagnostics_are_numbers_at_both_ends(build, left, right, spread, near, far):
    model = build().eval()
    inputs = prepared(model, make_data())
    disp = torch.cat([torch.full((2, 1, H, W // 2), side) for side in (left, right)], -1)
    model.estimate_disps = lambda image: ([disp], ())
    losses = model(inputs, mode='loss')
    assert losses['disp_spread'].item() == pytest.approx(spread, rel=1e-3, abs=1e-5)
    assert losses['disp_saturation'].item() == near
    assert losses['disp_saturation_far'].item() == far


def test_the_far_end_begins_at_95_percent_of_the_largest_depth(build):
    model = build(max_depth=50.0).eval()
    inputs = prepared(model, make_data())
    for depth, share in ((47.4, 0), (47.6, 1)):
        disp = torch.full((2, 1, H, W), (1 / depth - 1 / 50) / (1 / 0.1 - 1 / 50))
        model.estimate_disps = lambda image, disp=disp: ([disp], ())
        assert model(inputs, mode='loss')['disp_saturation_far'] == share


def test_poses_in_order_of_time_and_inverted_for_earlier_frames(build):
    """The motion from a to b seen as `0 to 1` is the inverse of itself seen as `0 to -1`."""
    model = build().eval()
    images = torch.randn(3, 3, H, W, generator=torch.Generator().manual_seed(1))
    a, b, c = images
    # as later frame's source: target b, frame -1 is a; as earlier one's: target a, frame 1 is b
    inputs = dict(network_input=torch.stack([torch.stack([b, a, c]), torch.stack([a, c, b])]))
    with torch.no_grad():
        T = model.estimate_poses(inputs)
        axis_angle, translation = model.pose_net(torch.cat([a, b])[None])
    forward = compose_transform(axis_angle_to_rotation(axis_angle), translation)[0]
    assert T.shape == (2, 2, 4, 4)
    assert torch.allclose(T[1, 1], forward, atol=1e-6)
    assert torch.allclose(T[0, 0], torch.linalg.inv(forward), atol=1e-6)
    assert not torch.allclose(T[0, 1], T[1, 1], atol=1e-6)


def test_order_of_sources_is_that_of_frame_ids(build):
    frames = torch.randn(2, 4, 3, H, W, generator=torch.Generator().manual_seed(2))
    T_stereo = torch.eye(4).repeat(2, 1, 1)
    T_stereo[:, 0, 3] = 0.54
    first, second = build(BOTH).eval(), build((0, 's', 1, -1)).eval()
    with torch.no_grad():
        T = first.estimate_poses(dict(network_input=frames, T_stereo=T_stereo))
        order = frames[:, [0, 3, 2, 1]]
        other = second.estimate_poses(dict(network_input=order, T_stereo=T_stereo))
    assert torch.equal(T[:, 2], T_stereo)
    assert torch.allclose(other[:, [2, 1, 0]], T, atol=1e-6)


def test_stereo_uses_the_known_pose(build):
    model = build(STEREO).eval()
    assert model.pose_net is None
    inputs = prepared(model, make_data(2, stereo=True))
    assert torch.equal(model.compute_outputs(inputs).T_source_target[:, 0], inputs['T_stereo'])


def test_predict_writes_fields(build):
    model = build(min_depth=0.5, max_depth=80.0).eval()
    data = make_data()
    inputs = prepared(model, data)
    samples = model(inputs, data['data_samples'], mode='predict')
    disp = model(inputs, mode='tensor').detach()
    assert disp.shape == (2, 1, H, W)
    for i, sample in enumerate(samples):
        inverse, depth = sample.pred_inv_depth.data, sample.pred_depth.data
        assert inverse.shape == (1, H, W) and depth.shape == (1, 100, 161)
        assert not inverse.requires_grad
        expected = 1 / disp_to_depth(disp[i], 0.5, 80.0)
        assert torch.allclose(inverse, expected, rtol=1e-6)
        assert 0.5 * (1 - 1e-5) <= depth.min() and depth.max() <= 80 * (1 + 1e-5)
        full = F.interpolate(expected[None], (100, 161), mode='bilinear', align_corners=False)
        assert torch.allclose(depth, 1 / full[0], rtol=1e-5)


def predict_map(model, data):
    samples = model(prepared(model, data), copy.deepcopy(data['data_samples']), mode='predict')
    return torch.stack([sample.pred_inv_depth.data for sample in samples])


def test_flip_tta_is_symmetric(build):
    data = make_data()
    flipped = dict(data, inputs=dict(data['inputs'], frames=data['inputs']['frames'].flip(-1)))
    model = build(flip_tta=True).eval()
    both = predict_map(model, data)
    assert torch.allclose(predict_map(model, flipped).flip(-1), both, atol=1e-6)
    model.flip_tta = False
    one, other = predict_map(model, data), predict_map(model, flipped).flip(-1)
    assert (one - other).abs().max() > 1e-4
    assert torch.allclose((one + other) / 2, both, atol=1e-6)


def test_bfloat16_networks_keep_float32_losses(build):
    model = build(network_dtype='bfloat16').train()
    inputs = prepared(model, make_data(), True)
    outputs = model.compute_outputs(inputs)
    assert outputs.feats[-1].dtype == torch.bfloat16
    assert all(disp.dtype == torch.float32 for disp in outputs.disps)
    assert outputs.T_source_target.dtype == torch.float32
    losses = model(inputs, mode='loss')
    assert all(value.dtype == torch.float32 for value in losses.values())
    sum(losses[name] for name in ('loss_photometric', 'loss_smoothness')).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.dtype == torch.float32, name
    exact = build().train()(inputs, mode='loss')
    assert losses['loss_photometric'].item() == pytest.approx(
        exact['loss_photometric'].item(), rel=0.02
    )


def test_errors_name_what_came_and_what_is_wanted(build):
    model = build()
    inputs = prepared(model, make_data())
    with pytest.raises(ValueError, match='multiples of 32, got 90x64; change .* ResizeFrames'):
        model(dict(inputs, network_input=inputs['network_input'][..., :90]), mode='tensor')
    with pytest.raises(ValueError, match=r'expects the frames \[0, -1, 1\], the data has 2'):
        model(prepared(model, make_data(2)), mode='loss')
    with pytest.raises(ValueError, match="must be 'loss', 'predict' or 'tensor', got 'train'"):
        model(inputs, mode='train')
    with pytest.raises(ValueError, match=r'must begin with the target 0, got \(1, 0\)'):
        build((1, 0))
    with pytest.raises(ValueError, match='must begin with the target 0'):
        build(())
    with pytest.raises(ValueError, match=r'the sources \[-1\] need a pose_net, got None'):
        SelfSupervisedDepthEstimator(dict(), dict(), None, {}, frame_ids=(0, -1))


def test_training_step_learns(build):
    """A few steps on one batch bring its loss down."""
    from mmengine.optim import OptimWrapper

    model = build().train()
    data = make_data()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    values = [model.train_step(data, wrapper)['loss'].item() for _ in range(8)]
    assert min(values[-2:]) < values[0] - 0.003


@pytest.mark.parametrize('limits', [(100.0, 0.1), (0.0, 100.0), (1.0, 1.0)])
def test_a_range_of_depth_that_is_none_is_refused(build, limits):
    with pytest.raises(ValueError, match='expected 0 < min_depth < max_depth, got'):
        build(min_depth=limits[0], max_depth=limits[1])


def test_frames_in_another_order_are_refused(build):
    """Pairs go into the pose net in order of time."""
    model = build()
    inputs = prepared(model, make_data(), True)

    def samples(*frame_ids):
        return [DepthDataSample(metainfo=dict(frame_ids=list(frame_ids)))] * 2

    for frame_ids in ((0, -1, 1), (0, -2, 2)):
        assert model.loss(inputs, samples(*frame_ids))
    with pytest.raises(ValueError, match=r'the frames \[0, -1, 1\], the data has \[0, 1, -1\]'):
        model.loss(inputs, samples(0, 1, -1))
    with pytest.raises(ValueError, match='must agree in their order'):
        model.loss(inputs, samples(0, -1, 's'))

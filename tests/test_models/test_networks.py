"""Encoder, decoder and pose network: shapes, names, weights, and what others compute."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from mmscd.models import DispHead, PoseNet, ResNetEncoder

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def norm_names(name):
    return {f'{name}.{p}' for p in ('weight', 'bias', 'running_mean', 'running_var')}


def expected_names(depth):
    """Names of the usual ImageNet checkpoints, without `fc` and `num_batches_tracked`."""
    names = {'conv1.weight'} | norm_names('bn1')
    for layer, count in enumerate(BLOCKS[depth], 1):
        for block in range(count):
            prefix = f'layer{layer}.{block}'
            for i in (1, 2, 3) if depth == 50 else (1, 2):
                names |= {f'{prefix}.conv{i}.weight'} | norm_names(f'{prefix}.bn{i}')
            if block == 0 and (layer > 1 or depth == 50):
                names |= {f'{prefix}.downsample.0.weight'} | norm_names(f'{prefix}.downsample.1')
    return names


def randomise_norms(module, seed=0):
    """Statistics and affine parameters as after training."""
    g = torch.Generator().manual_seed(seed)
    for m in module.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            for tensor in (m.weight.data, m.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=g) + 0.5)
            for tensor in (m.bias.data, m.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=g) * 0.1)
    return module


@pytest.mark.parametrize('depth', [18, 34, 50])
def test_encoder_strides_channels_and_names(depth):
    encoder = ResNetEncoder(depth).eval()
    wide = 4 if depth == 50 else 1
    channels = (64, *(64 * wide * 2**i for i in range(4)))
    with torch.no_grad():
        maps = encoder(torch.rand(1, 3, 64, 96))
    shapes = [tuple(m.shape) for m in maps]
    assert shapes == [(1, c, 64 // 2**i, 96 // 2**i) for i, c in enumerate(channels, 1)]
    assert encoder.out_channels == channels
    names = {n for n in encoder.state_dict() if not n.endswith('num_batches_tracked')}
    assert names == expected_names(depth)


def test_wrong_depth():
    with pytest.raises(ValueError, match=r'one of \[18, 34, 50\], got 20'):
        ResNetEncoder(20)


@pytest.fixture
def checkpoint():
    root = os.environ.get('MMSCD_DATA')
    path = Path(root or '.') / 'weights' / 'resnet18_imagenet_derived_fp16.pth'
    if not root or not path.is_file():
        pytest.skip(f'needs {path.name}: set MMSCD_DATA')
    return path


@pytest.mark.parametrize('in_channels', [3, 6])
def test_real_checkpoint_loads_completely(checkpoint, in_channels):
    state = torch.load(checkpoint, map_location='cpu', weights_only=True)
    state = state.get('state_dict', state)
    encoder = ResNetEncoder(18, in_channels)
    missing, unexpected = encoder.load_state_dict(dict(state), strict=False)
    assert not unexpected and all(n.endswith('num_batches_tracked') for n in missing)
    assert torch.equal(encoder.layer4[1].conv2.weight, state['layer4.1.conv2.weight'].float())
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint))
    by_config = ResNetEncoder(18, in_channels, init_cfg=init_cfg)
    by_config.init_weights()
    for name, value in encoder.state_dict().items():
        assert torch.equal(by_config.state_dict()[name], value), name


@pytest.mark.parametrize('copies', [2, 3])
def test_equal_images_give_the_response_to_one(copies):
    single = randomise_norms(ResNetEncoder(18)).eval()
    state = dict(single.state_dict(), **{'fc.weight': torch.zeros(2), 'fc.bias': torch.zeros(2)})
    several = ResNetEncoder(18, 3 * copies).eval()
    several.load_state_dict(state)
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(single(image), several(image.repeat(1, copies, 1, 1)), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()


def test_a_state_of_six_channels_loads_as_it_is():
    first, second = ResNetEncoder(18, 6), ResNetEncoder(18, 6)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.conv1.weight, second.conv1.weight)


def test_norm_eval_freezes_statistics_only():
    encoder = ResNetEncoder(18, norm_eval=True).train()
    assert encoder.training and not encoder.bn1.training and not encoder.layer3[0].bn2.training
    before = encoder.bn1.running_mean.clone()
    encoder(torch.rand(2, 3, 64, 64))[-1].sum().backward()
    assert torch.equal(encoder.bn1.running_mean, before)
    assert encoder.bn1.weight.grad is not None
    free = ResNetEncoder(18).train()
    free(torch.rand(2, 3, 64, 64))
    assert free.bn1.training and not torch.equal(free.bn1.running_mean, before)


@pytest.mark.parametrize('depth', [18, 50])
def test_equals_the_resnet_of_mmseg(depth):
    pytest.importorskip('mmseg.models')
    from mmseg.models import ResNet

    ours = randomise_norms(ResNetEncoder(depth)).eval()
    theirs = ResNet(depth=depth, style='pytorch')
    theirs.eval()  # mmseg's returns None
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
        maps, expected = ours(image)[1:], theirs(image)
    assert len(expected) == 4
    for a, b in zip(maps, expected, strict=True):
        assert (a - b).abs().max() < 1e-5 * b.abs().max()


def pyramid(channels, strides, size=(64, 96), batch=2):
    return [
        torch.randn(batch, c, size[0] // s, size[1] // s)
        for c, s in zip(channels, strides, strict=True)
    ]


@pytest.mark.parametrize('scales', [(0, 1, 2, 3), (0,), (0, 2)])
@pytest.mark.parametrize(
    'channels, strides',
    [
        ((8, 8, 16, 16, 32), (2, 4, 8, 16, 32)),
        ((8, 16, 16, 32), (4, 8, 16, 32)),
        ((8, 16), (4, 16)),
    ],
)
def test_disp_head_over_pyramids(channels, strides, scales):
    head = DispHead(channels, strides, scales=scales)
    disps = head(pyramid(channels, strides))
    assert [tuple(d.shape) for d in disps] == [(2, 1, 64 >> k, 96 >> k) for k in scales]
    assert all(0 < d.min() and d.max() < 1 for d in disps)
    assert head.stride == strides[-1]
    sum(d.sum() for d in disps).backward()
    assert all(p.grad is not None for p in head.parameters())


def test_disp_head_uses_every_map_of_its_own_stride():
    """A change of a map changes the outputs at its level and below only."""
    channels, strides = (4, 4, 4, 4), (4, 8, 16, 32)
    head = DispHead(channels, strides, channels=(4, 4, 4, 4, 4)).eval()
    feats = pyramid(channels, strides)
    with torch.no_grad():
        before = head(feats)
        feats[1] = feats[1] + 1  # stride 8: level 3
        after = head(feats)
        assert all(not torch.allclose(a, b) for a, b in zip(before, after, strict=True))
        again = head([feats[0] + 1, *feats[1:]])  # stride 4: level 2
    assert torch.equal(again[3], after[3]) and not torch.allclose(again[2], after[2])


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(in_channels=(8, 8), in_strides=(2,)), 'in_channels .* in_strides .* differ'),
        (dict(in_channels=(8, 8), in_strides=(8, 4)), 'ascending powers of two, got'),
        (dict(in_channels=(8, 8), in_strides=(4, 12)), 'ascending powers of two, got'),
        (dict(scales=(0, 5)), r'scales must be some of \[0, 1, 2, 3, 4\] .*, got \(0, 5\)'),
        (dict(scales=()), r'scales must be some of .*, got \(\)'),
        (
            dict(in_channels=(8, 8), in_strides=(4, 8)),
            r'some of \[0, 1, 2\] .*, got \(0, 1, 2, 3\)',
        ),
        (dict(channels=(16, 32)), 'stride 32 needs 5 channels, got'),
    ],
)
def test_disp_head_refuses_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DispHead(**kwargs)


def test_pose_net_starts_near_the_identity():
    net = PoseNet(dict(type='ResNetEncoder', depth=18, in_channels=6)).eval()
    with torch.no_grad():
        axis_angle, translation = net(torch.randn(3, 6, 64, 96))
    assert axis_angle.shape == translation.shape == (3, 3)
    assert axis_angle.dtype == translation.dtype == torch.float32
    assert axis_angle.abs().max() < 0.05 and translation.abs().max() < 0.05
    assert not torch.equal(translation[0], translation[1])


def test_pose_net_is_the_mean_of_a_pointwise_regression():
    net = PoseNet(dict(type='ResNetEncoder', depth=18, in_channels=6), scale=0.02).eval()
    pairs = torch.randn(2, 6, 64, 96)
    with torch.no_grad():
        feats = net.head(net.encoder(pairs)[-1])
        per_place = F.conv2d(feats, net.motion.weight[:, :, None, None], net.motion.bias)
        expected = 0.02 * per_place.mean((2, 3))
        assert torch.allclose(torch.cat(net(pairs), 1), expected, atol=1e-6)


def test_initial_disp_is_where_training_starts():
    torch.manual_seed(0)
    head = DispHead(initial_disp=0.1)
    feats = [
        torch.randn(1, c, 64 // s, 96 // s) * 0.1
        for c, s in zip((64, 64, 128, 256, 512), (2, 4, 8, 16, 32), strict=True)
    ]
    for disp in head(feats):
        assert abs(disp.mean() - 0.1) < 0.02
    with pytest.raises(ValueError, match='initial_disp must lie'):
        DispHead(initial_disp=1.0)


def test_translation_scale_leaves_the_rotation():
    torch.manual_seed(0)
    encoder = dict(type='ResNetEncoder', in_channels=6)
    net = PoseNet(encoder).eval()
    pairs = torch.randn(2, 6, 64, 96)
    rotation, translation = net(pairs)
    net.translation_scale = 0.05
    again = net(pairs)
    assert torch.equal(again[0], rotation)
    assert torch.allclose(again[1], 5 * translation)

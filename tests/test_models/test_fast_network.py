"""The fast form of a depth network computes what the network computes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmscd.models.backbones import LiteMono, ResNetEncoder
from mmscd.models.fast_network import (
    FastDecoder,
    FastNetwork,
    PackedConvolution,
    _rising,
    fold_batch_norm,
    pack_convolutions,
)
from mmscd.models.heads import DispHead
from mmscd.models.heads.lite_mono_head import LiteMonoHead


def settle(module, seed=0):
    """Eval mode, with the statistics and affine maps of a trained batch norm."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.running_var, part.weight.data):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            for tensor in (part.running_mean, part.bias.data):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 5)
    return module.eval()


def network(kind, dtype=torch.float64):
    torch.manual_seed(0)
    wide = dict(in_channels=(64, 256, 512, 1024, 2048))
    backbone, head = dict(
        plain=lambda: (ResNetEncoder(18), DispHead()),
        coarse=lambda: (ResNetEncoder(18), DispHead(scales=(1, 2))),
        bottleneck=lambda: (ResNetEncoder(50), DispHead(**wide)),
        transformer=lambda: (ResNetEncoder(18), DispHead((128, 256), (8, 16))),
        lite=lambda: (LiteMono(), LiteMonoHead()),
    )[kind]()
    if kind == 'transformer':  # no maps of strides 2 and 4
        backbone = nn.Sequential(backbone, Pick(2, 3))
    return settle(backbone).to(dtype), settle(head).to(dtype)


class Pick(nn.Module):
    def __init__(self, *indices):
        super().__init__()
        self.indices = indices

    def forward(self, maps):
        return tuple(maps[i] for i in self.indices)


@pytest.mark.parametrize('kind', ['plain', 'coarse', 'bottleneck', 'transformer', 'lite'])
def test_the_fast_form_is_the_same_function(kind):
    backbone, head = network(kind)
    image = torch.randn(2, 3, 64, 160, dtype=torch.float64)
    with torch.no_grad():
        expected = head(backbone(image))[0]
        before = copy.deepcopy(backbone.state_dict()), copy.deepcopy(head.state_dict())
        actual = FastNetwork(backbone, head)(image)
    assert expected.std() > 1e-5
    assert actual.dtype == torch.float64
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() < 1e-12
    for module, state in zip((backbone, head), before, strict=True):
        assert module.state_dict().keys() == state.keys()
        assert all((module.state_dict()[key] == value).all() for key, value in state.items())


@pytest.mark.parametrize('kind', ['plain', 'lite'])
def test_types_and_packed_weights(kind):
    backbone, head = network(kind, torch.float32)
    image = torch.randn(2, 3, 64, 160)
    with torch.no_grad():
        expected = head(backbone(image))[0]
        for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
            fast = FastNetwork(backbone, head, dtype)
            actual = fast(image)
            assert actual.dtype == torch.float32
            assert 0 < (actual - expected).abs().max() < limit
    if torch.backends.mkldnn.is_available():
        packed = [m for m in fast.modules() if isinstance(m, PackedConvolution)]
        assert len(packed) > 10 and all(m.weight.dtype == dtype for m in packed[:10])


def test_the_last_convolution_keeps_its_weights():
    backbone, head = network('lite', torch.float32)
    fast = FastNetwork(backbone, head, torch.bfloat16)
    assert (fast.disp_head.predict['0'].weight == head.predict['0'].weight).all()
    assert fast.disp_head.reduce['0'].weight.dtype == torch.bfloat16


@pytest.mark.parametrize('size', [(1, 1), (1, 5), (3, 2), (7, 4)])
def test_a_convolution_after_upsampling_is_a_transposed_one(size):
    weight, bias = torch.randn(5, 4, 3, 3).double(), torch.randn(5).double()
    x = torch.randn(2, 4, *size).double()
    large = F.interpolate(x, scale_factor=2.0, mode='nearest')
    expected = F.conv2d(F.pad(large, (1, 1, 1, 1), mode='reflect'), weight, bias)
    actual = _rising(weight, bias)(F.pad(x, (1, 1, 1, 1), mode='replicate'))
    assert (actual - expected).abs().max() < 1e-12


def test_only_norms_behind_their_convolution_are_folded():
    first = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    free = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2, track_running_stats=False))
    settle(first)
    module = nn.Sequential(first, free).double().eval()
    image = torch.randn(2, 3, 9, 8).double()
    expected = module(image)
    folded = fold_batch_norm(copy.deepcopy(module))
    assert (folded(image) - expected).abs().max() < 1e-12
    kinds = [type(part).__name__ for part in folded[0]]
    assert kinds == ['BatchNorm2d', 'Conv2d', 'Identity']
    assert isinstance(folded[1][1], nn.BatchNorm2d)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='no oneDNN in this PyTorch')
def test_packed_convolutions():
    convolutions = nn.Sequential(
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8, bias=False)),
        nn.Conv2d(8, 4, 3, padding=1, padding_mode='reflect'),
        nn.Conv2d(4, 5, (1, 3)),
    ).requires_grad_(False)
    image = torch.randn(2, 6, 20, 31)
    expected = convolutions(image)
    pack_convolutions(convolutions)
    assert isinstance(convolutions[2], nn.Conv2d)  # reflection is not oneDNN's
    assert isinstance(convolutions[1][0], PackedConvolution)
    assert (convolutions(image) - expected).abs().max() < 1e-5


def test_a_decoder_under_autocast():
    backbone, head = network('plain', torch.float32)
    with torch.no_grad():
        feats = backbone(torch.randn(1, 3, 64, 96))
        fast = FastDecoder(head)
        expected = fast(feats)[0]
        with torch.autocast('cpu', torch.bfloat16):
            actual = fast(feats)[0]
    assert actual.dtype == torch.float32
    assert (actual - expected).abs().max() < 2e-2

"""Converted Lite-Mono weights give what the published network gives.

As in test_monodepth2_weights.py the network is put together a second time, as functions of state
dicts with the published names (Zhang et al., CVPR 2023; no code of mmscd).
"""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmscd.converters import UnmappedKeysError, build_and_load, convert_folder, make_config
from mmscd.models.backbones import LiteMono
from mmscd.models.heads import LiteMonoHead

VARIANTS = dict(
    base=((48, 80, 128), (4, 4, 10)), tiny=((32, 64, 128), (4, 4, 7)),
)  # fmt: skip
DILATIONS = {
    (640, 192): {10: (1, 2, 3, 1, 2, 3, 2, 4, 6), 7: (1, 2, 3, 2, 4, 6)},
    (1024, 320): {10: (1, 2, 5, 1, 2, 5, 2, 4, 10), 7: (1, 2, 5, 2, 4, 10)},
}


def make_encoder(channels, counts):
    g = torch.Generator().manual_seed(0)
    s = {}

    def weight(name, *shape):
        s[f'{name}.weight'] = torch.randn(shape, generator=g) * (2 / math.prod(shape[1:])) ** 0.5

    def linear(name, out, inside, *kernel):
        weight(name, out, inside, *kernel)
        s[f'{name}.bias'] = torch.randn(out, generator=g) * 0.1

    def norm(name, n, batch=True):
        s[f'{name}.weight'] = torch.rand(n, generator=g) + 0.5
        s[f'{name}.bias'] = torch.randn(n, generator=g) * 0.1
        if batch:
            s[f'{name}.running_mean'] = torch.randn(n, generator=g) * 0.1
            s[f'{name}.running_var'] = torch.rand(n, generator=g) + 0.5
            s[f'{name}.num_batches_tracked'] = torch.tensor(9)

    for i in range(3):
        weight(f'downsample_layers.0.{i}.conv', channels[0], channels[0] if i else 3, 3, 3)
        norm(f'downsample_layers.0.{i}.bn_gelu.bn', channels[0])
    weight('stem2.0.conv', channels[0], channels[0] + 3, 3, 3)
    for i in (1, 2):
        weight(f'downsample_layers.{i}.0.conv', channels[i], 2 * channels[i - 1] + 3, 3, 3)
    for stage, (c, count) in enumerate(zip(channels, counts, strict=True)):
        for block in range(count):
            n = f'stages.{stage}.{block}'
            last = block == count - 1
            if last:
                s[f'{n}.gamma_xca'] = torch.rand(c, generator=g) * 0.5
                norm(f'{n}.norm_xca', c, batch=False)
                s[f'{n}.xca.temperature'] = torch.rand(8, 1, 1, generator=g) + 0.5
                linear(f'{n}.xca.qkv', 3 * c, c)
                linear(f'{n}.xca.proj', c, c)
                if stage == 0:
                    linear(f'{n}.pos_embd.token_projection', c, 64, 1, 1)
            else:
                weight(f'{n}.ddwconv.conv', c, 1, 3, 3)
                norm(f'{n}.bn1', c)
            norm(f'{n}.norm', c, batch=False)
            linear(f'{n}.pwconv1', 6 * c, c)
            linear(f'{n}.pwconv2', c, 6 * c)
            s[f'{n}.gamma'] = torch.rand(c, generator=g) * 0.5
    return s


def make_decoder(channels, scales=(0, 1, 2)):
    g = torch.Generator().manual_seed(1)
    s, width = {}, channels[-1]

    def conv(name, out, inside):
        s[f'{name}.weight'] = (
            torch.randn(out, inside, 3, 3, generator=g) * (2 / (9 * inside)) ** 0.5
        )
        s[f'{name}.bias'] = torch.randn(out, generator=g) * 0.1

    for number, level in enumerate((2, 1, 0)):
        out = channels[level] // 2
        conv(f'decoder.{2 * number}.conv.conv', out, width)
        conv(
            f'decoder.{2 * number + 1}.conv.conv', out, out + (channels[level - 1] if level else 0)
        )
        width = out
    for number, scale in enumerate(scales, 6):
        conv(f'decoder.{number}.conv', 1, channels[scale] // 2)
    return s


def batch_norm(x, s, n):
    values = (s[f'{n}.{p}'] for p in ('running_mean', 'running_var', 'weight', 'bias'))
    return F.batch_norm(x, *values)


def dense(x, s, n):
    return x @ s[f'{n}.weight'].T + s[f'{n}.bias']


def position(s, n, height, width):
    """Row and column by loops over wave numbers, float64."""
    planes = torch.zeros(64, height, width, dtype=torch.float64)
    for k in range(32):
        frequency = 10000.0 ** (-2 * (k // 2) / 32)
        wave = math.sin if k % 2 == 0 else math.cos
        for y in range(height):
            planes[k, y] = wave(2 * math.pi * (y + 1) / (height + 1e-6) * frequency)
        for x in range(width):
            planes[32 + k, :, x] = wave(2 * math.pi * (x + 1) / (width + 1e-6) * frequency)
    return F.conv2d(planes[None].float(), s[f'{n}.weight'], s[f'{n}.bias'])


def branch(x, s, n):
    x = dense(F.gelu(dense(x, s, f'{n}.pwconv1')), s, f'{n}.pwconv2')
    return (x * s[f'{n}.gamma']).permute(0, 3, 1, 2)


def attention(tokens, s, n):
    """Head by head."""
    out, c = [], tokens.shape[-1]
    q, k, v = dense(tokens, s, f'{n}.qkv').split(c, -1)
    for head in range(8):
        part = slice(head * c // 8, (head + 1) * c // 8)
        a, b = (F.normalize(t[..., part], dim=1) for t in (q, k))  # over the pixels
        weights = (torch.einsum('bni,bnj->bij', a, b) * s[f'{n}.temperature'][head]).softmax(-1)
        out.append(torch.einsum('bij,bnj->bni', weights, v[..., part]))
    return dense(torch.cat(out, -1), s, f'{n}.proj')


def encoder(image, s, counts, dilations):
    x = (image - 0.45) / 0.225
    pools = [x]
    for _ in range(3):
        pools.append(F.avg_pool2d(pools[-1], 3, 2, 1))
    for i in range(3):
        n = f'downsample_layers.0.{i}'
        x = F.conv2d(x, s[f'{n}.conv.weight'], stride=1 if i else 2, padding=1)
        x = F.gelu(batch_norm(x, s, f'{n}.bn_gelu.bn'))
    maps, beside = [], [x]
    for stage, count in enumerate(counts):
        name = f'downsample_layers.{stage}.0.conv' if stage else 'stem2.0.conv'
        x = torch.cat([*beside, pools[stage + 1]], 1)
        x = F.conv2d(x, s[f'{name}.weight'], stride=2, padding=1)
        start = x
        for block in range(count - 1):
            n, d = f'stages.{stage}.{block}', dilations[stage][block]
            y = F.conv2d(x, s[f'{n}.ddwconv.conv.weight'], padding=d, dilation=d, groups=x.shape[1])
            x = x + branch(batch_norm(y, s, f'{n}.bn1').permute(0, 2, 3, 1), s, n)
        n, (b, c, h, w) = f'stages.{stage}.{count - 1}', x.shape
        y = x + position(s, f'{n}.pos_embd.token_projection', h, w) if stage == 0 else x
        tokens = y.reshape(b, c, h * w).permute(0, 2, 1)
        normal = F.layer_norm(
            tokens, (c,), *(s[f'{n}.norm_xca.{p}'] for p in ('weight', 'bias')), 1e-6
        )
        tokens = tokens + s[f'{n}.gamma_xca'] * attention(normal, s, f'{n}.xca')
        y = tokens.reshape(b, h, w, c)
        y = F.layer_norm(y, (c,), *(s[f'{n}.norm.{p}'] for p in ('weight', 'bias')), 1e-6)
        x = x + branch(y, s, n)
        maps.append(x)
        beside = [start, x]
    return maps


def conv(x, s, n):
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode='reflect'), s[f'{n}.weight'], s[f'{n}.bias'])


def double(x):
    return F.interpolate(x, scale_factor=2, mode='bilinear')


def decoder(maps, s):
    x, disps = maps[-1], {}
    for number, level in enumerate((2, 1, 0)):
        x = double(F.elu(conv(x, s, f'decoder.{2 * number}.conv.conv')))
        x = torch.cat([x, maps[level - 1]], 1) if level else x
        x = F.elu(conv(x, s, f'decoder.{2 * number + 1}.conv.conv'))
        disps[level] = torch.sigmoid(double(conv(x, s, f'decoder.{6 + level}.conv')))
    return disps


@pytest.fixture
def make_folder(tmp_path, published):
    def make(variant='base', size=(640, 192), pose=False):
        channels, counts = VARIANTS[variant]
        content = make_encoder(channels, counts)
        content.update(width=size[0], height=size[1], use_stereo=False)
        content['stages.0.0.pwconv1.total_ops'] = torch.zeros(1, dtype=torch.float64)
        torch.save(content, tmp_path / 'encoder.pth')
        torch.save(make_decoder(channels), tmp_path / 'depth.pth')
        if pose:
            pair = published.resnet(18, 6, 'encoder.', seed=3)
            torch.save(pair, tmp_path / 'pose_encoder.pth')
            torch.save(published.pose(18), tmp_path / 'pose.pth')
        return tmp_path

    return make


@pytest.mark.parametrize('variant', ['base', 'tiny'])
@pytest.mark.parametrize('size', [(640, 192), (1024, 320)])
@torch.no_grad()
def test_depth_equals_the_published_network(make_folder, variant, size):
    folder = make_folder(variant, size)
    weights = convert_folder(folder)
    model = build_and_load(make_config(weights, 'mine'), weights.keys.weights)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    normalise = model.data_preprocessor.normalise
    disps, _ = model.estimate_disps(normalise(images))
    counts = VARIANTS[variant][1]
    last = DILATIONS[size][counts[2]]
    three = last[:3]
    states = [torch.load(folder / f'{n}.pth', weights_only=True) for n in ('encoder', 'depth')]
    expected = decoder(encoder(images, states[0], counts, (three, three, last)), states[1])
    assert expected[0].std() > 0.03, 'a constant would prove nothing'
    for scale, disp in enumerate(disps):
        assert disp.shape[-2:] == (64 >> scale, 96 >> scale)
        assert (disp - expected[scale]).abs().max() < 2e-5, scale


def test_pose_net_and_size_go_into_the_config(make_folder):
    weights = convert_folder(make_folder(size=(1024, 320), pose=True))
    text = make_config(weights, 'mine')
    cfg = Config.fromstring(text, '.py')
    assert tuple(cfg.model.frame_ids) == (0, -1, 1) and cfg.model.pose_net.encoder.depth == 18
    assert tuple(cfg.test_dataloader.dataset.pipeline[1]['size']) == (1024, 320)
    assert build_and_load(text, weights.keys.weights).pose_net is not None
    assert weights.keys.dropped['encoder.pth: stages.0.0.norm.weight'].startswith('a normalisation')
    assert weights.keys.dropped['encoder.pth: stages.0.0.pwconv1.total_ops']


def test_a_folder_is_taken_for_what_its_keys_say(make_folder, monodepth2_folder):
    assert convert_folder(make_folder()).network == 'Lite-Mono (48, 80, 128)'
    assert convert_folder(monodepth2_folder(34)).network == 'ResNet-34'


def test_other_networks_are_refused(make_folder):
    folder = make_folder()
    state = torch.load(folder / 'encoder.pth', weights_only=True)
    torch.save(state | {'stages.1.2.gate.weight': torch.zeros(1)}, folder / 'encoder.pth')
    with pytest.raises(UnmappedKeysError, match=r'no place for 1 \(stages.1.2.gate.weight\)'):
        convert_folder(folder)
    del state['stages.0.3.xca.qkv.bias']
    torch.save(state, folder / 'encoder.pth')
    with pytest.raises(UnmappedKeysError, match=r'missing 1 \(stages.0.3.attention.qkv.bias\)'):
        convert_folder(folder)
    torch.save(
        {k: v for k, v in state.items() if 'stages.2.9' not in str(k)}, folder / 'encoder.pth'
    )
    with pytest.raises(UnmappedKeysError, match=r'known are 4, 4, 10 and 4, 4, 7'):
        convert_folder(folder)


def test_sizes_and_gradients():
    backbone, head = LiteMono(), LiteMonoHead()
    count = sum(p.numel() for m in (backbone, head) for p in m.parameters())
    assert round(count / 1e6, 1) == 3.1, 'what the paper says'
    maps = backbone.train()(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [(48, 16, 24), (80, 8, 12), (128, 4, 6)]
    sum(d.mean() for d in head(maps)).backward()
    assert all(p.grad is not None for m in (backbone, head) for p in m.parameters())
    with pytest.raises(ValueError, match='scales must be some of 0, 1, 2'):
        LiteMonoHead(scales=(0, 3))
    with pytest.raises(ValueError, match='three stages are expected'):
        LiteMono(channels=(8, 8))

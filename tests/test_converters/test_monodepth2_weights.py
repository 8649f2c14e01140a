"""Converted Monodepth2 weights give what the published network gives.

The published architecture is put together here a second time, as functions of the published state
dicts (Godard et al., ICCV 2019, supplementary; no code of mmscd), and both run on the same images.
"""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmscd.converters import UnmappedKeysError, build_and_load, convert_folder, make_config
from mmscd.evaluation.metrics.depth_metric import find_protocol

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
HEIGHT, WIDTH = 64, 96


def load(folder, name):
    return torch.load(folder / f'{name}.pth', weights_only=True)


def norm(x, s, name):
    mean, var = s[f'{name}.running_mean'], s[f'{name}.running_var']
    return F.batch_norm(x, mean, var, s[f'{name}.weight'], s[f'{name}.bias'])


def resnet(x, s, depth):
    """The five maps of an image in [0, 1] (or of two, stacked)."""
    x = (x - 0.45) / 0.225
    x = F.relu(norm(F.conv2d(x, s['encoder.conv1.weight'], stride=2, padding=3), s, 'encoder.bn1'))
    maps = [x]
    x = F.max_pool2d(x, 3, 2, 1)
    for layer, count in enumerate(BLOCKS[depth], 1):
        for block in range(count):
            name = f'encoder.layer{layer}.{block}'
            stride = 2 if layer > 1 and block == 0 else 1
            y = x
            numbers = (1, 2, 3) if depth == 50 else (1, 2)
            strided = 2 if depth == 50 else 1
            for i in numbers:
                weight = s[f'{name}.conv{i}.weight']
                step = stride if i == strided else 1
                y = F.conv2d(y, weight, stride=step, padding=weight.shape[-1] // 2)
                y = norm(y, s, f'{name}.bn{i}')
                y = F.relu(y) if i != numbers[-1] else y
            if f'{name}.downsample.0.weight' in s:
                x = F.conv2d(x, s[f'{name}.downsample.0.weight'], stride=stride)
                x = norm(x, s, f'{name}.downsample.1')
            x = F.relu(x + y)
        maps.append(x)
    return maps


def conv3x3(x, s, name):
    x = F.pad(x, (1, 1, 1, 1), mode='reflect')
    return F.conv2d(x, s[f'{name}.weight'], s[f'{name}.bias'])


def decoder(maps, s, scales):
    x, disps = maps[-1], {}
    for number, level in enumerate((4, 3, 2, 1, 0)):
        x = F.elu(conv3x3(x, s, f'decoder.{2 * number}.conv.conv'))
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        if level > 0:
            x = torch.cat([x, maps[level - 1]], 1)
        x = F.elu(conv3x3(x, s, f'decoder.{2 * number + 1}.conv.conv'))
        if level in scales:
            disps[level] = torch.sigmoid(conv3x3(x, s, f'decoder.{10 + scales.index(level)}.conv'))
    return disps


def motion(first, second, encoder, s, depth):
    """Axis-angle and translation (B, 3) of the first of two predicted motions."""
    x = resnet(torch.cat([first, second], 1), encoder, depth)[-1]
    x = F.relu(F.conv2d(x, s['net.0.weight'], s['net.0.bias']))
    x = F.relu(F.conv2d(x, s['net.1.weight'], s['net.1.bias'], padding=1))
    x = F.relu(F.conv2d(x, s['net.2.weight'], s['net.2.bias'], padding=1))
    x = F.conv2d(x, s['net.3.weight'], s['net.3.bias']).mean(3).mean(2)
    x = 0.01 * x.reshape(-1, 2, 6)
    return x[:, 0, :3], x[:, 0, 3:]


def transform(axis_angle, translation, invert):
    """4x4, target to source; frames before the target have theirs inverted."""
    skew = torch.zeros(len(axis_angle), 3, 3, dtype=torch.float64)
    x, y, z = axis_angle.double().unbind(1)
    skew[:, 0, 1], skew[:, 0, 2], skew[:, 1, 2] = -z, y, -x
    rotation = torch.linalg.matrix_exp(skew - skew.transpose(1, 2))
    T = torch.eye(4, dtype=torch.float64).repeat(len(axis_angle), 1, 1)
    T[:, :3, :3], T[:, :3, 3] = rotation, translation.double()
    return torch.linalg.inv(T) if invert else T


@pytest.fixture(scope='module')
def frames():
    g = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (2, 3, 3, HEIGHT, WIDTH), generator=g, dtype=torch.uint8)


def preprocess(model, frames):
    batch = len(frames)
    K = torch.eye(3).repeat(batch, 1, 1)
    data = dict(inputs=dict(frames=frames, K=K, draw_key=torch.zeros(batch, dtype=torch.int64)))
    return model.data_preprocessor(data, training=False)['inputs']


@pytest.mark.parametrize('depth', [18, 34, 50])
@torch.no_grad()
def test_depth_and_pose_equal_the_published_network(monodepth2_folder, frames, depth):
    folder = monodepth2_folder(depth, size=(WIDTH, HEIGHT))
    weights = convert_folder(folder)
    assert (weights.backbone['depth'], weights.size, weights.pose_depth) == (
        depth,
        (WIDTH, HEIGHT),
        depth,
    )
    model = build_and_load(make_config(weights, 'mine'), weights.keys.weights)
    inputs = preprocess(model, frames)
    disps, _ = model.estimate_disps(inputs['network_input'][:, 0])
    encoder, images = load(folder, 'encoder'), frames.float() / 255
    expected = decoder(resnet(images[:, 0], encoder, depth), load(folder, 'depth'), (0, 1, 2, 3))
    assert expected[0].std() > 0.05, 'a constant would prove nothing'
    for scale, disp in enumerate(disps):
        assert (disp - expected[scale]).abs().max() < 2e-5, scale
    depths = 1 / (0.01 + (10 - 0.01) * disps[0])  # 1 / 100 m, 1 / 0.1 m
    # the mapping that was published with the network
    assert torch.allclose(depths, 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * expected[0]), rtol=1e-4)
    pair, pose = load(folder, 'pose_encoder'), load(folder, 'pose')
    T = model.estimate_poses(inputs)
    before = motion(images[:, 1], images[:, 0], pair, pose, depth)
    after = motion(images[:, 0], images[:, 2], pair, pose, depth)
    assert min(part.abs().max() for part in (*before, *after)) > 1e-3
    assert (T[:, 0] - transform(*before, True)).abs().max() < 2e-6
    assert (T[:, 1] - transform(*after, False)).abs().max() < 2e-6


def test_imagenets_normalisation_would_be_seen(monodepth2_folder, frames):
    weights = convert_folder(monodepth2_folder(), pose=False)
    text = make_config(weights, 'mine')
    right = build_and_load(text, weights.keys.weights)
    wrong = build_and_load(
        text.replace('0.45, 0.45, 0.45', '0.485, 0.456, 0.406'), weights.keys.weights
    )
    with torch.no_grad():
        a, b = (m.estimate_disps(preprocess(m, frames)['network_input'][:, 0])[0][0]
                for m in (right, wrong))  # fmt: skip
    assert (a - b).abs().max() > 1e-3


@pytest.mark.parametrize(
    'stereo, pose, base, frame_ids',
    [
        (False, True, 'monodepth2_r18_kitti.py', (0, -1, 1)),
        (True, False, 'monodepth2_r18_kitti-stereo.py', (0, 's')),
        (True, True, 'monodepth2_r18_kitti-mono-stereo.py', (0, -1, 1, 's')),
        (False, False, 'monodepth2_r18_kitti.py', (0,)),
    ],
)
def test_config_of_every_kind(monodepth2_folder, stereo, pose, base, frame_ids):
    weights = convert_folder(monodepth2_folder(stereo=stereo, pose=pose))
    text = make_config(weights, 'mine')
    assert f'mmscd::monodepth2/{base}' in text
    cfg = Config.fromstring(text, '.py')
    assert tuple(cfg.model.frame_ids) == frame_ids
    assert find_protocol(cfg).scale == (5.4 if stereo else 1)
    model = build_and_load(text, weights.keys.weights)
    assert (model.pose_net is None) == (not pose)


@pytest.mark.parametrize('size', [(640, 192), (1024, 320), (416, 128)])
def test_config_of_every_size(monodepth2_folder, size):
    weights = convert_folder(monodepth2_folder(size=size))
    cfg = Config.fromstring(make_config(weights, 'mine'), '.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        (resize,) = [t for t in loader.dataset.pipeline if t.type == 'ResizeFrames']
        assert tuple(resize['size']) == size
    assert '416' in make_config(weights, 'mine', (416, 128))


def test_only_the_finest_scale_and_another_range(monodepth2_folder):
    weights = convert_folder(monodepth2_folder(scales=(0,)))
    text = make_config(weights, 'mine', depth_range=(0.5, 80.0))
    model = build_and_load(text, weights.keys.weights)
    assert weights.scales == model.disp_head.scales == (0,)
    assert model.depth_range == (0.5, 80.0)


def test_every_number_is_accounted_for(monodepth2_folder):
    folder = monodepth2_folder(extra_ops=7)
    weights = convert_folder(folder)
    sources = set(weights.keys.sources.values())
    dropped = {name for name, reason in weights.keys.dropped.items() if 'classifier' in reason}
    nets = ('encoder', 'pose_encoder')
    assert dropped == {f'{net}.pth: fc.{p}' for net in nets for p in ('weight', 'bias')}
    assert weights.keys.dropped['encoder.pth: extra_ops'] == 'no weight'
    for name in ('encoder', 'depth', 'pose_encoder', 'pose'):
        tensors = {k for k, v in load(folder, name).items() if torch.is_tensor(v)}
        names = {f'{name}.pth: {key.removeprefix("encoder.")}' for key in tensors}
        assert names <= sources | dropped
    text = weights.keys.describe()
    assert 'mapped backbone: 120 tensors' in text and 'dropped, the classifier: ' in text
    assert len(weights.keys.describe(every=True).splitlines()) > len(sources)


def test_data_parallel_counters_and_half_precision(monodepth2_folder):
    folder = monodepth2_folder(pose=False)
    state = load(folder, 'depth')
    odd = {f'module.{k}': v.half() for k, v in state.items()}
    odd['module.decoder.0.total_ops'] = torch.zeros(1, dtype=torch.float64)
    torch.save(odd, folder / 'depth.pth')
    weights = convert_folder(folder)
    value = weights.keys.weights['disp_head.reduce.4.weight']
    assert value.dtype == torch.float32
    assert torch.equal(value, state['decoder.0.conv.conv.weight'].half().float())
    assert weights.keys.dropped['depth.pth: decoder.0.total_ops'] == "a FLOP counter's number"


def test_prefix_and_tensor_settings_together(monodepth2_folder):
    folder = monodepth2_folder(size=(416, 128), stereo=True, pose=False)
    state = load(folder, 'encoder')
    settings = {key: torch.tensor(state.pop(key)) for key in ('width', 'height', 'use_stereo')}
    torch.save({f'module.{k}': v for k, v in state.items()} | settings, folder / 'encoder.pth')
    weights = convert_folder(folder)
    assert weights.stereo is True and weights.size == (416, 128)
    assert torch.equal(weights.keys.weights['backbone.conv1.weight'], state['encoder.conv1.weight'])


def test_other_networks_are_refused_with_their_keys(monodepth2_folder):
    folder = monodepth2_folder()
    extra = load(folder, 'depth') | {'decoder.3.attention.weight': torch.zeros(1)}
    torch.save(extra, folder / 'depth.pth')
    with pytest.raises(UnmappedKeysError, match=r'(?s)cannot.*decoder.3.attention.weight'):
        convert_folder(folder)
    torch.save({'convs.X_01_Conv_0.conv.weight': torch.zeros(1)}, folder / 'depth.pth')
    with pytest.raises(UnmappedKeysError, match=r'convs.X_01_Conv_0.conv.weight'):
        convert_folder(folder)


def test_other_pose_nets_are_refused_but_may_be_left_out(monodepth2_folder, published):
    folder = monodepth2_folder()
    torch.save({'net.0.weight': torch.zeros(16, 6, 7, 7)}, folder / 'pose.pth')  # its PoseCNN
    with pytest.raises(UnmappedKeysError, match=r'(?s)pose.pth.*missing.*net.1.weight'):
        convert_folder(folder)
    three = published.resnet(18, 9, 'encoder.')
    torch.save(three, folder / 'pose_encoder.pth')
    with pytest.raises(UnmappedKeysError, match='--no-pose leaves this net out'):
        convert_folder(folder)
    assert convert_folder(folder, pose=False).pose_depth is None


def test_missing_files_are_named(monodepth2_folder):
    folder = monodepth2_folder()
    (folder / 'pose.pth').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks pose.pth .*--no-pose'):
        convert_folder(folder)
    (folder / 'depth.pth').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks depth.pth'):
        convert_folder(folder, pose=False)


def test_files_with_code_are_refused(monodepth2_folder):
    class Code:
        def __reduce__(self):
            return print, ('run',)

    folder = monodepth2_folder()
    torch.save(dict(load(folder, 'depth'), code=Code()), folder / 'depth.pth')
    with pytest.raises(RuntimeError, match='more than tensors'):
        convert_folder(folder)


@pytest.mark.parametrize('value', ['640', [640], -1, float('nan'), torch.ones(2)])
def test_settings_that_are_no_numbers_are_refused(monodepth2_folder, value):
    folder = monodepth2_folder()
    content = torch.load(folder / 'encoder.pth')
    torch.save(content | dict(width=value), folder / 'encoder.pth')
    with pytest.raises(ValueError, match='encoder.pth: width is no number'):
        convert_folder(folder)


def test_broken_shapes_of_the_pose_net_are_refused(monodepth2_folder):
    folder = monodepth2_folder()
    pose, encoder = (torch.load(folder / f'{name}.pth') for name in ('pose', 'pose_encoder'))
    torch.save({k: v for k, v in pose.items() if k != 'net.3.bias'}, folder / 'pose.pth')
    with pytest.raises(UnmappedKeysError, match='(?s)pose.pth.*net.3.bias'):
        convert_folder(folder)
    torch.save(encoder | {'encoder.conv1.weight': torch.ones(())}, folder / 'pose_encoder.pth')
    with pytest.raises(UnmappedKeysError, match='(?s)pose_encoder.pth.*conv1.weight'):
        convert_folder(folder)

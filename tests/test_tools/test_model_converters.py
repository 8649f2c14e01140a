"""The converters on their command lines; what they compute is tested in tests/test_converters."""

import pytest
import torch

from mmscd.deployment import load_network
from mmscd.evaluation.metrics.depth_metric import find_protocol
from mmscd.evaluation.protocols import get_protocol
from mmscd.models import DispHead, PoseNet, ResNetEncoder
from tools.model_converters import to_mmscd


def published_files(folder):
    """Our own random networks under the published names."""
    torch.manual_seed(0)
    encoder, pair = ResNetEncoder(18), ResNetEncoder(18, 6)
    head = DispHead()
    pose = PoseNet(dict(type='ResNetEncoder', depth=18, in_channels=6))
    state = {f'encoder.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state, height=192, width=640, use_stereo=True), folder / 'encoder.pth')
    names = [f'reduce.{level}' if first else f'fuse.{level}'
             for level in (4, 3, 2, 1, 0) for first in (True, False)]  # fmt: skip
    depth = {}
    for number, name in enumerate([*names, *(f'predict.{scale}' for scale in range(4))]):
        for p in ('weight', 'bias'):
            middle = 'conv.conv' if number < 10 else 'conv'
            depth[f'decoder.{number}.{middle}.{p}'] = head.state_dict()[f'{name}.{p}']
    torch.save(depth, folder / 'depth.pth')
    state = {f'encoder.{k}': v for k, v in pair.state_dict().items()}
    torch.save(state, folder / 'pose_encoder.pth')
    net = {}
    for number, name in enumerate(('head.0', 'head.2', 'head.4', 'motion')):
        for p in ('weight', 'bias'):
            value = pose.state_dict()[f'{name}.{p}']
            if name == 'motion':
                value = torch.cat([value, value])
                value = value[..., None, None] if p == 'weight' else value
            net[f'net.{number}.{p}'] = value
    torch.save(net, folder / 'pose.pth')
    return encoder, head


def test_monodepth2_to_files_that_load(tmp_path, capsys):
    folder = tmp_path / 'mono+stereo_640x192'
    folder.mkdir()
    encoder, head = published_files(folder)
    out = tmp_path / 'models' / 'mine.pth'
    to_mmscd.main([str(folder), str(out)])
    printed = capsys.readouterr().out
    assert 'mapped backbone: 120 tensors' in printed and 'mapped pose_net: 128' in printed
    assert 'ResNet-18, stereo (metric after x 5.4), pose net ResNet-18' in printed
    assert sorted(path.name for path in out.parent.iterdir()) == ['mine.pth', 'mine.py']
    text = out.with_suffix('.py').read_text()
    assert str(tmp_path) not in text and 'mono+stereo_640x192' in text
    cfg, model = load_network(str(out.with_suffix('.py')), str(out))
    for ours, theirs in ((model.backbone, encoder), (model.disp_head, head)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
    meta = torch.load(out, weights_only=True)['meta']
    assert meta['stereo'] and meta['depth_scale'] == 5.4
    protocol = find_protocol(cfg)
    assert (protocol.alignment, protocol.scale, protocol.crop) == ('fixed', 5.4, 'garg')
    assert get_protocol(cfg.visualizer.protocol) == get_protocol(cfg.val_evaluator.protocol)
    assert get_protocol(cfg.val_evaluator.protocol) == protocol
    to_mmscd.main([str(folder), str(out), '--no-pose', '--verbose'])
    assert 'depth.pth: decoder.13.conv.bias ' in capsys.readouterr().out


def test_monodepth2_that_does_not_say_what_it_is(tmp_path, capsys):
    folder, out = tmp_path / 'fork', tmp_path / 'mine.pth'
    folder.mkdir()
    published_files(folder)
    state = torch.load(folder / 'encoder.pth', weights_only=True)
    bare = {k: v for k, v in state.items() if torch.is_tensor(v)}
    torch.save(bare, folder / 'encoder.pth')
    for option, stereo, scale in (
        (None, None, None),
        ('--stereo', True, 5.4),
        ('--mono', False, None),
    ):
        to_mmscd.main([str(folder), str(out), *([option] if option else [])])
        printed = capsys.readouterr().out
        assert ('does not say whether it learnt from stereo' in printed) == (stereo is None)
        assert ('monocular' in printed) == (stereo is False)
        assert '640x192 assumed' in printed
        meta = torch.load(out, weights_only=True)['meta']
        assert meta['stereo'] is stereo and meta['depth_scale'] == scale
        assert ('scale=5.4' in out.with_suffix('.py').read_text()) == bool(stereo)


def test_monodepth2_refusals_leave_nothing(tmp_path):
    folder, out = tmp_path / 'w', tmp_path / 'out' / 'mine.pth'
    folder.mkdir()
    with pytest.raises(SystemExit, match='lacks encoder.pth, depth.pth'):
        to_mmscd.main([str(folder), str(out)])
    with pytest.raises(SystemExit, match='there is no folder'):
        to_mmscd.main([str(tmp_path / 'no'), str(out)])
    published_files(folder)
    with pytest.raises(SystemExit, match='OUT must end in .pth'):
        to_mmscd.main([str(folder), str(out.with_suffix('.ckpt'))])
    (folder / 'depth.pth').write_bytes((folder / 'depth.pth').read_bytes()[:5000])
    with pytest.raises(SystemExit, match='depth.pth is truncated or damaged'):
        to_mmscd.main([str(folder), str(out)])
    torch.save({'a.weight': torch.zeros(1)}, folder / 'depth.pth')
    with pytest.raises(SystemExit, match=r'no place for 1 \(.*a.weight\)'):
        to_mmscd.main([str(folder), str(out)])
    assert not out.parent.exists()


def test_resnet_to_init_cfg(tmp_path, capsys):
    torch.manual_seed(0)
    state = ResNetEncoder(34).state_dict()
    torch.save(state | {'fc.weight': torch.zeros(9, 512)}, tmp_path / 'resnet34.bin')
    out = tmp_path / 'r34.pth'
    to_mmscd.main([str(tmp_path / 'resnet34.bin'), str(out)])
    printed = capsys.readouterr().out
    assert 'ResNet-34' in printed and 'dropped, the classifier: resnet34.bin: fc.weight' in printed
    init_cfg = dict(type='Pretrained', checkpoint=str(out))
    encoder = ResNetEncoder(34, init_cfg=init_cfg)
    encoder.init_weights()
    for name, value in state.items():
        assert torch.equal(encoder.state_dict()[name], value), name
    torch.save({'conv1.0.weight': torch.zeros(1)}, tmp_path / 'resnet34.bin')
    with pytest.raises(SystemExit, match='deep stem'):
        to_mmscd.main([str(tmp_path / 'resnet34.bin'), str(out)])

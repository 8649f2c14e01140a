"""ResNet weights of torchvision and timm: names, formats, and who is refused."""

import json
import struct

import pytest
import torch

from mmscd.converters import UnmappedKeysError, convert_resnet, read_weights
from mmscd.models import ResNetEncoder


def write_safetensors(path, state):
    """By the format's description: length, JSON header, numbers one after the other."""
    header, body = {'__metadata__': {'format': 'pt'}}, b''
    kinds = {torch.float32: 'F32', torch.float16: 'F16', torch.int64: 'I64'}
    for name, value in state.items():
        data = value.contiguous().numpy().tobytes()
        header[name] = dict(
            dtype=kinds[value.dtype], shape=list(value.shape),
            data_offsets=[len(body), len(body) + len(data)],
        )  # fmt: skip
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + body)


@pytest.mark.parametrize('depth', [18, 34, 50])
def test_weights_load_completely(published, depth):
    state = published.resnet(depth)
    keys, found = convert_resnet(state, 'weights.pth')
    assert found == depth
    encoder = ResNetEncoder(depth)
    encoder.load_state_dict(keys.weights, strict=True)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert set(keys.dropped) == {'weights.pth: fc.weight', 'weights.pth: fc.bias'}


def test_prefix_and_missing_counters(published):
    plain = published.resnet(18)
    state = {f'backbone.{k}': v for k, v in plain.items() if 'num_batches' not in k}
    state['head.fc.weight'] = torch.zeros(3, 512)
    keys, _ = convert_resnet(state, 'w')
    ResNetEncoder(18).load_state_dict(keys.weights, strict=True)
    assert torch.equal(keys.weights['layer3.1.conv2.weight'], plain['layer3.1.conv2.weight'])
    assert 'w: head.fc.weight' in keys.dropped
    with pytest.raises(UnmappedKeysError, match='neck.conv.weight'):
        convert_resnet(dict(state, **{'neck.conv.weight': torch.zeros(1)}), 'w')


def test_safetensors_are_read_exactly(published, tmp_path):
    state = published.resnet(18)
    state['fc.bias'] = state['fc.bias'].half()
    write_safetensors(tmp_path / 'w.safetensors', state)
    tensors, _ = read_weights(tmp_path / 'w.safetensors')
    assert tensors.keys() == state.keys()
    for name, value in state.items():
        assert tensors[name].dtype == value.dtype and torch.equal(tensors[name], value), name


def test_broken_safetensors_are_named(published, tmp_path):
    path = tmp_path / 'w.safetensors'
    write_safetensors(path, published.resnet(18))
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], data[:100], b'', b'<html>not found</html>' * 9):
        path.write_bytes(broken)
        with pytest.raises(RuntimeError, match=r'w.safetensors is no whole .safetensors file'):
            read_weights(path)
    with pytest.raises(FileNotFoundError, match='nothing.safetensors does not exist'):
        read_weights(tmp_path / 'nothing.safetensors')


@pytest.mark.parametrize('nest', [None, 'state_dict', 'model'])
def test_nested_and_data_parallel_checkpoints(published, tmp_path, nest):
    state = {f'module.{k}': v for k, v in published.resnet(18).items()}
    torch.save({nest: state, 'epoch': 3} if nest else state, tmp_path / 'w.pth')
    tensors, _ = read_weights(tmp_path / 'w.pth')
    assert convert_resnet(tensors, 'w.pth')[1] == 18


def test_files_without_weights(tmp_path):
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='list.pth hold no parameters of a network .a list'):
        read_weights(tmp_path / 'list.pth')
    torch.save(dict(epoch=1), tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match='empty.pth hold no .* the keys epoch'):
        read_weights(tmp_path / 'empty.pth')


def test_relatives_are_refused_by_name(published):
    state = published.resnet(50)
    relatives = {
        'deep stem': {'conv1.0.weight': torch.zeros(32, 3, 3, 3)},
        'SE-ResNet': {'layer1.0.se.fc1.weight': torch.zeros(8, 256, 1, 1)},
        'average pooling in its shortcuts': {'layer2.0.downsample.2.weight': torch.zeros(512)},
    }
    for words, extra in relatives.items():
        with pytest.raises(UnmappedKeysError, match=f'(?s){words}.*{next(iter(extra))}'):
            convert_resnet(state | extra, 'w')
    with pytest.raises(UnmappedKeysError, match='it is a ResNet-101, mmscd has ResNet-18'):
        convert_resnet(published.resnet(101), 'w')
    grouped = state | {'layer1.0.conv2.weight': torch.zeros(128, 4, 3, 3)}
    with pytest.raises(UnmappedKeysError, match=r'(?s)ResNeXt.*expected \(64, 64, 3, 3\)'):
        convert_resnet(grouped, 'w')
    with pytest.raises(UnmappedKeysError, match='(?s)expected conv1.*features.0.weight'):
        convert_resnet({'features.0.weight': torch.zeros(1)}, 'vgg')


def test_long_lists_are_cut():
    state = {f'blocks.{i}.weight': torch.zeros(1) for i in range(50)}
    with pytest.raises(UnmappedKeysError, match=r'; no place for 50 \(.*, \.\.\.\)'):
        convert_resnet(state, 'w')

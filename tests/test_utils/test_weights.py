"""Weights that are none, of other kinds, and initial weights that do not fit."""

import pytest
import torch

from mmscd.models.backbones.resnet_encoder import ResNetEncoder
from mmscd.utils import compat
from mmscd.utils.weights import check_finite, named_tensors

compat.apply()


def test_nests_and_prefixes():
    weight = torch.ones(2)
    for content in (dict(a=weight), dict(state_dict={'module.a': weight}, meta=None)):
        assert named_tensors(content, 'x.pth') == dict(a=weight)
    assert named_tensors(dict(model=dict(a=weight)), 'x.pth') == dict(a=weight)


@pytest.mark.parametrize(
    'name',
    ['_orig_mod.a.b', 'module._orig_mod.a.b', '_orig_mod.module.a.b', 'a._orig_mod.b', 'model.a.b'],
)
@pytest.mark.parametrize('nest', ['state_dict', 'state_dict_ema'])
def test_names_that_wrappers_leave(name, nest):
    """torch.compile, alone, under and over DataParallel, and of a part; Lightning; EMA only."""
    weight = torch.ones(2)
    assert named_tensors({nest: {name: weight}}, 'x.pth') == {'a.b': weight}
    other = {f'{name[:-1]}c': weight, 'backbone.d': weight}
    assert 'backbone.d' in named_tensors({nest: {name: weight, **other}}, 'x.pth')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'a NoneType'),
        (dict(state_dict=None, meta={}), 'the keys state_dict, meta'),
        ({1: torch.ones(2)}, 'hold no parameters'),
        (dict(a='text'), 'hold no parameters'),
        (dict(a=torch.ones(2).to_sparse()), 'no plain numbers .a: sparse'),
        (dict(a=torch.ones(2, device='meta')), 'no plain numbers'),
        (dict(a=torch.ones(2, dtype=torch.complex64)), 'no plain numbers'),
        # four bytes that claim to be four terabytes
        (dict(a=torch.zeros(1).expand(10**12)), 'larger than the file'),
    ],
)
def test_what_is_no_weights_is_refused_with_the_file(content, words):
    with pytest.raises(ValueError, match=f'weights x.pth .*{words}'):
        named_tensors(content, 'x.pth')


def test_values_that_are_not_finite():
    check_finite(dict(a=torch.ones(2), n=torch.tensor(3)), 'x.pth')
    with pytest.raises(ValueError, match='x.pth hold values .* not finite in 1 of 2 tensors .b'):
        check_finite(dict(a=torch.ones(2), b=torch.tensor([1.0, torch.nan])), 'x.pth')


def encoder(path, channels=3, **options):
    init = dict(type='Pretrained', checkpoint=str(path), **options)
    return ResNetEncoder(18, channels, init_cfg=init)


def test_initial_weights_that_fit(tmp_path):
    state, path = ResNetEncoder(18).state_dict(), tmp_path / 'r.pth'
    counters = [key for key in state if key.endswith('num_batches_tracked')]
    for key in counters:  # old files have none
        state.pop(key)
    torch.save({f'backbone.{key}': value for key, value in state.items()}, path)
    network = encoder(path, 6, prefix='backbone.')
    network.init_weights()
    assert torch.equal(network.layer4[1].conv2.weight, state['layer4.1.conv2.weight'])
    assert torch.equal(network.conv1.weight[:, 3:], state['conv1.weight'] / 2)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda state: {f'encoder.{key}': v for key, v in state.items()}, '100 of 120 parameters'),
        (
            lambda state: state | {'conv1.weight': torch.ones(64, 4, 7, 7)},
            'mismatch for conv1',
        ),
        (lambda state: state | {'conv1.weight': 'text'}, r'1 of 120 .* \(conv1.weight\)'),
        (
            lambda state: state | {'bn1.bias': torch.full((64,), torch.nan)},
            'not finite in 1 .*bn1.bias',
        ),
        (lambda state: dict(state_dict=None), 'hold no parameters'),
    ],
)
def test_initial_weights_that_do_not_fit_stop_the_training(tmp_path, change, words):
    torch.save(change(ResNetEncoder(18).state_dict()), tmp_path / 'r.pth')
    with pytest.raises(ValueError, match=f'weights .*r.pth.*{words}'):
        encoder(tmp_path / 'r.pth').init_weights()

"""Parameters that are treated alike share a group, and are updated as before."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmscd.engine.optimizers.merged_groups import merge_groups


def network():
    torch.manual_seed(0)
    graph = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    return nn.ModuleDict(dict(first=nn.Linear(4, 3), distiller=graph, last=nn.Linear(3, 1)))


def wrapper(model, constructor):
    config = dict(
        type='OptimWrapper',
        constructor=constructor,
        optimizer=dict(type='Adam', lr=1e-2, weight_decay=0.1),
        paramwise_cfg=dict(
            bias_decay_mult=0.0, custom_keys=dict(distiller=dict(lr_mult=10, decay_mult=0.5))
        ),
    )
    with DefaultScope.overwrite_default_scope('mmscd'):
        return build_optim_wrapper(model, config)


def test_groups_are_merged_and_updates_are_the_same():
    models = [network() for _ in range(2)]
    names = ('DefaultOptimWrapperConstructor', 'MergedGroupsConstructor')
    wrappers = [wrapper(m, name) for m, name in zip(models, names, strict=True)]
    many, few = (w.optimizer.param_groups for w in wrappers)
    assert len(many) == 8
    # weights, biases (without decay), and all of the distiller
    assert [len(group['params']) for group in few] == [2, 2, 4]
    assert [group['lr'] for group in few] == [1e-2, 1e-2, 1e-1]
    assert [group['weight_decay'] for group in few] == pytest.approx([0.1, 0.0, 0.05])
    for _ in range(3):
        for model, own in zip(models, wrappers, strict=True):
            own.update_params(
                model['last'](model['distiller'](model['first'](torch.ones(2, 4)))).square().sum()
            )
    for one, other in zip(*(m.parameters() for m in models), strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, torch.zeros_like(one))


def test_merging_keeps_the_order_and_leaves_its_input_alone():
    groups = [dict(params=['a'], lr=1), dict(params=['b']), dict(params=['c'], lr=1)]
    before = copy.deepcopy(groups)
    assert merge_groups(groups) == [dict(lr=1, params=['a', 'c']), dict(params=['b'])]
    assert groups == before


@pytest.mark.parametrize('paramwise', [None, dict(custom_keys=dict(distiller=dict(lr_mult=10)))])
def test_a_compiled_step_of_an_optimizer_from_a_config(paramwise):
    """Groups are plain dicts: dynamo cannot trace mmengine's `ConfigDict`."""
    models = [network() for _ in range(2)]
    config = ConfigDict(
        type='OptimWrapper',
        constructor='MergedGroupsConstructor',
        optimizer=dict(type='Adam', lr=1e-2, betas=(0.9, 0.99)),
    )
    if paramwise:
        config.paramwise_cfg = paramwise
    with DefaultScope.overwrite_default_scope('mmscd'):
        optimizers = [build_optim_wrapper(model, config.copy()).optimizer for model in models]
    assert all(type(group) is dict for o in optimizers for group in o.param_groups)
    steps = [torch.compile(optimizers[0].step, backend='eager'), optimizers[1].step]
    for _ in range(2):
        for model, step in zip(models, steps, strict=True):
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
            step()
    for one, other in zip(*(m.parameters() for m in models), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_shipped_configs_use_it():
    from mmscd.utils.config import load_config

    for name in ('scd/scd_r18_kitti', 'scd/scd_r18_kitti-mini', 'monodepth2/monodepth2_r18_kitti'):
        cfg = load_config(f'configs/{name}.py')
        assert cfg.optim_wrapper.constructor == 'MergedGroupsConstructor'

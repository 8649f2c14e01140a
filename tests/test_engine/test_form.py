"""Checkpoints of an optimizer in one form, taken up by one in another."""

import copy

import pytest
import torch

from mmscd.engine.optimizers import keep_form, make_capturable

FORMS = dict(plain={}, loops=dict(foreach=False), fused=dict(fused=True))


def run(optimizer, weight, steps):
    for step in steps:
        torch.manual_seed(step)
        weight.grad = torch.randn(5)
        optimizer.step()
    return weight.detach().clone()


def make(form, value):
    weight = torch.nn.Parameter(value.clone())
    optimizer = torch.optim.Adam([weight], lr=0.1, **FORMS[form])
    keep_form(optimizer)
    return optimizer, weight


@pytest.mark.parametrize('to', FORMS)
@pytest.mark.parametrize('of', FORMS)
def test_a_training_goes_on_in_another_form(of, to):
    start = torch.arange(5.0)
    whole = run(*make(to, start), range(6))
    first, weight = make(of, start)
    half = run(first, weight, range(3))
    saved = copy.deepcopy(first.state_dict())
    second, weight = make(to, half)
    second.load_state_dict(saved)
    group = second.param_groups[0]
    assert {name: group[name] for name in FORMS[to]} == FORMS[to]
    torch.testing.assert_close(run(second, weight, range(3, 6)), whole)


def test_a_checkpoint_of_a_capturable_optimizer_runs_where_none_can():
    """Adam refuses `capturable` on a CPU."""
    optimizer, weight = make('plain', torch.zeros(5))
    run(optimizer, weight, range(2))
    saved = optimizer.state_dict()
    saved['param_groups'][0].update(capturable=True, fused=None)
    other, weight = make('plain', torch.zeros(5))
    other.load_state_dict(saved)
    run(other, weight, range(1))
    assert not other.param_groups[0]['capturable'] and other.state[weight]['step'] == 3


def test_groups_that_do_not_fit_are_still_refused():
    optimizer, _ = make('plain', torch.zeros(5))
    saved = optimizer.state_dict()
    saved['param_groups'] = saved['param_groups'] * 2
    with pytest.raises(ValueError, match='different number of parameter groups'):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_the_capturable_form_computes_the_same(kind):
    weights = []
    for capturable in (False, True):
        weight = torch.nn.Parameter(torch.ones(5))
        optimizer = kind([weight], lr=0.1, weight_decay=0.1)
        run(optimizer, weight, range(2))  # moments are there already
        if capturable:
            make_capturable(optimizer)
            assert optimizer.param_groups[0]['fused']
            optimizer.param_groups[0]['lr'] = torch.tensor(0.1)
        weights.append(run(optimizer, weight, range(2, 5)))
    torch.testing.assert_close(*weights)


def test_moments_follow_the_memory_format_of_their_weights():
    """A checkpoint of NCHW weights, taken up by a fused optimizer of NHWC ones."""
    results = []
    for to in (torch.contiguous_format, torch.channels_last):
        state, value = None, torch.zeros(4, 3, 2, 2)
        for layout, steps in ((torch.contiguous_format, range(2)), (to, range(2, 4))):
            weight = torch.nn.Parameter(value.clone(memory_format=layout))
            optimizer = torch.optim.Adam([weight], lr=0.1, fused=True)
            keep_form(optimizer)
            if state is not None:
                optimizer.load_state_dict(state)
            for step in steps:
                torch.manual_seed(step)
                weight.grad = torch.randn(4, 3, 2, 2).clone(memory_format=layout)
                optimizer.step()
            state, value = copy.deepcopy(optimizer.state_dict()), weight.detach()
        results.append(value.contiguous())
    torch.testing.assert_close(*results)

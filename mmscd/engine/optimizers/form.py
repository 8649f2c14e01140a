"""The form in which an optimizer computes: loops, fused, or fit for a CUDA graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

FORM = ('foreach', 'fused', 'capturable')


def make_capturable(optimizer: Optimizer) -> None:
    """Let an Adam, AdamW or SGD update by kernels that read learning rates and counts of steps on
    the device; what it computes stays the same."""
    for settings in (optimizer.defaults, *optimizer.param_groups):
        settings.update(foreach=None, fused=True)
        if 'capturable' in settings:
            settings['capturable'] = True
    place_state(optimizer)


def keep_form(optimizer: Optimizer) -> None:
    """Let an optimizer take the state of one in another form from a checkpoint, and stay in its
    own."""
    optimizer.register_load_state_dict_pre_hook(_with_own_form)
    optimizer.register_load_state_dict_post_hook(place_state)


def _with_own_form(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    groups = [
        {**saved, **{name: own[name] for name in FORM if name in own}}
        for saved, own in zip(state_dict['param_groups'], optimizer.param_groups, strict=False)
    ]
    return {**state_dict, 'param_groups': groups + state_dict['param_groups'][len(groups) :]}


def place_state(optimizer: Optimizer) -> None:
    """Put counts of steps where the form wants them, with the weights or on the host, which would
    otherwise wait for the device once per weight; lay moments out as their weights, which a fused
    form takes for granted."""
    for group in optimizer.param_groups:
        on_device = group.get('fused') or group.get('capturable')
        for parameter in group['params']:
            state = optimizer.state.get(parameter, {})
            for name, value in state.items():
                if name == 'step' and isinstance(value, Tensor):
                    device = parameter.device if on_device else 'cpu'
                    state[name] = value.to(device, torch.float32)
                elif isinstance(value, Tensor) and value.shape == parameter.shape:
                    if value.stride() != parameter.stride():
                        state[name] = torch.empty_like(parameter).copy_(value)

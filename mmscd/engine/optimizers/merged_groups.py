"""Few parameter groups instead of one per parameter."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmscd.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, with parameters that are treated alike in one group.

    With a `paramwise_cfg` mmengine makes a group of every parameter. On a GPU the optimizer then
    starts its dozen kernels once per parameter instead of once for all, which is a large part of a
    step of a small network. The updates are the same.

    Args: as `mmengine.optim.DefaultOptimWrapperConstructor`.
    """

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Add the groups of a module to `params`; at the root of the model they are merged."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params)


def merge_groups(groups: list[dict]) -> list[dict]:
    """Groups with the same settings as one, in the order of their first parameters."""
    merged: list[dict] = []
    for group in groups:
        settings = {key: value for key, value in group.items() if key != 'params'}
        for other in merged:
            if {key: value for key, value in other.items() if key != 'params'} == settings:
                other['params'].extend(group['params'])
                break
        else:
            merged.append(dict(settings, params=list(group['params'])))
    return merged

"""Few parameter groups instead of one per parameter."""

from __future__ import annotations

from typing import Any

from mmengine.config import ConfigDict
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmscd.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, with parameters that are treated alike in one group.

    With a `paramwise_cfg` mmengine makes a group of every parameter. On a GPU the optimizer then
    starts its dozen kernels once per parameter instead of once for all, which is a large part of a
    step of a small network. The updates are the same.

    Groups are plain dicts, which `torch.compile` can trace through the optimizer's step; mmengine
    makes `ConfigDict`s of them where the optimizer's config is one.

    Args: as `mmengine.optim.DefaultOptimWrapperConstructor`.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        self.optimizer_cfg: dict = _plain(self.optimizer_cfg)

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Add the groups of a module to `params`; at the root of the model they are merged."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params)


def _plain(cfg: dict) -> dict:
    return cfg.to_dict() if isinstance(cfg, ConfigDict) else cfg


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

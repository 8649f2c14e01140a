"""Entry points for programs."""

from __future__ import annotations

import importlib
from typing import Any

# loaded when they are asked for: torch and mmengine take seconds
_HOMES = dict(
    DepthInferencer='mmscd.inference.inferencer',
    inference_depth='mmscd.inference.pipeline',
    init_model='mmscd.models.loading',
    list_models='mmscd.models.model_names',
)

__all__ = ['DepthInferencer', 'inference_depth', 'init_model', 'list_models']


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

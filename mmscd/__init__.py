"""mmscd: structure-centric robust self-supervised monocular depth.

Importing this package is light: nothing is registered and no OpenMMLab package is loaded until a
submodule that needs it is imported.

Who may import whom, downwards only; import-linter holds the code to it (`pyproject.toml`)::

    apis                                   the public face
    report
    robustness, inference, video, deployment, converters
    engine                                 hooks, launching, what the Runner is driven with
    evaluation, visualization
    models/{estimators, loading}
    models/{teachers, distillers}
    models/{backbones, heads, pose_nets, texture, losses, pixel_weights}
    ops                                    kernels of the training step
    datasets                               knows nothing of models, nor they of it
    corruptions, geometry                  pure numpy and torch, as ops
    registry
    structures, utils

What a room's `__init__` names in `__all__` is what users may rely on; all else may change.
"""

from typing import Any

from .apis import __all__ as _ENTRY_POINTS
from .version import __version__

__all__ = ['__version__', *_ENTRY_POINTS]


def __getattr__(name: str) -> Any:
    if name in _ENTRY_POINTS:
        from . import apis

        return getattr(apis, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

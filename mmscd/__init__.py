"""mmscd: structure-centric robust self-supervised monocular depth.

Importing this package is light: nothing is registered and no OpenMMLab package is loaded until a
submodule that needs it is imported.

Who may import whom (downwards only)::

    registry, structures, utils
      <- geometry (pure torch)
      <- models/{backbones, heads, pose_nets, losses}
      <- models/estimators
      <- engine, evaluation, visualization
      <- apis
      <- tools/

``datasets`` needs ``registry``, ``structures`` and ``utils`` only.
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

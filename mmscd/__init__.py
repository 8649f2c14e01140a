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

from .version import __version__

__all__ = ['__version__']

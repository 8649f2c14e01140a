"""Backbones. Those of mmseg are reached by `type='mmseg.NAME'`."""

from .lite_mono import LiteMono
from .resnet_encoder import ResNetEncoder

__all__ = ['LiteMono', 'ResNetEncoder']

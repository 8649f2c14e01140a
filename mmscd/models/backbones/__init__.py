"""Backbones. Those of mmseg are reached by `type='mmseg.NAME'`."""

from .resnet_encoder import ResNetEncoder

__all__ = ['ResNetEncoder']

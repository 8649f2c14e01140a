"""Heads from feature maps to disparity."""

from .disp_head import DispHead
from .lite_mono_head import LiteMonoHead

__all__ = ['DispHead', 'LiteMonoHead']

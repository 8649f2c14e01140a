"""Heads from feature maps to disparity."""

from .disp_head import DispHead

__all__ = ['DispHead']

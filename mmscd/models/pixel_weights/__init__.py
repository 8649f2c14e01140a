"""Pixel weights: how much a pixel of the target counts in the losses that respect them."""

from .moving_object import MovingObjectWeight
from .structure import StructureWeight

__all__ = ['MovingObjectWeight', 'StructureWeight']

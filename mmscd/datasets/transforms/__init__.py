"""Transforms of the data pipeline: load, crop, zoom, resize, corrupt, pack."""

from .corrupt import CorruptFrames
from .crop import CropFrames
from .formatting import PackDepthInputs
from .loading import LoadFrames
from .random_zoom import RandomZoom
from .resize import ResizeFrames

__all__ = [
    'CorruptFrames',
    'CropFrames',
    'LoadFrames',
    'PackDepthInputs',
    'RandomZoom',
    'ResizeFrames',
]

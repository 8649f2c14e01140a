"""Transforms of the data pipeline: load, zoom, resize, corrupt, pack."""

from .corrupt import CorruptFrames
from .formatting import PackDepthInputs
from .loading import LoadFrames
from .random_zoom import RandomZoom
from .resize import ResizeFrames

__all__ = ['CorruptFrames', 'LoadFrames', 'PackDepthInputs', 'RandomZoom', 'ResizeFrames']

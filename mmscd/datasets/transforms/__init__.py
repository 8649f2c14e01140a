"""Transforms of the data pipeline: load, zoom, resize, pack."""

from .formatting import PackDepthInputs
from .loading import LoadFrames
from .random_zoom import RandomZoom
from .resize import ResizeFrames

__all__ = ['LoadFrames', 'PackDepthInputs', 'RandomZoom', 'ResizeFrames']

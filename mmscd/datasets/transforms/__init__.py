"""Transforms of the data pipeline: load, resize, pack."""

from .formatting import PackDepthInputs
from .loading import LoadFrames
from .resize import ResizeFrames

__all__ = ['LoadFrames', 'PackDepthInputs', 'ResizeFrames']

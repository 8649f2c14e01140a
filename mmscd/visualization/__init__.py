"""Pictures of depth: colours, composition, and the visualizer for mmengine's runner."""

from mmscd.datasets.formats.images import read_image

from .colormap import colorize_depth, colorize_error
from .depth_visualizer import DepthVisualizer
from .rendering import save_image

__all__ = [
    'DepthVisualizer',
    'colorize_depth',
    'colorize_error',
    'read_image',
    'save_image',
]

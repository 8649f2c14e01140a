"""Data sets, their transforms and samplers."""

from .base import BaseDepthDataset
from .folder import FolderDepthDataset
from .kitti_raw import KITTIRawDataset
from .samplers import KeyedInfiniteSampler, SampleIndex
from .transforms import LoadFrames, PackDepthInputs, ResizeFrames

__all__ = [
    'BaseDepthDataset',
    'FolderDepthDataset',
    'KITTIRawDataset',
    'KeyedInfiniteSampler',
    'LoadFrames',
    'PackDepthInputs',
    'ResizeFrames',
    'SampleIndex',
]

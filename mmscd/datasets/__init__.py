"""Data sets, their transforms and samplers."""

from .base import BaseDepthDataset
from .cityscapes import CityscapesDataset, FoggyCityscapesDataset
from .ddad import DDADDataset
from .driving_stereo import DrivingStereoDataset
from .folder import FolderDepthDataset
from .joined import JoinedDataset
from .kitti_2015 import KITTI2015Dataset
from .kitti_depth_benchmark import KITTIDepthBenchmarkDataset
from .kitti_odometry import KITTIOdometryDataset
from .kitti_raw import KITTIRawDataset
from .make3d import Make3DDataset
from .nuscenes import NuScenesDataset
from .robotcar import RobotCarDataset
from .samplers import KeyedInfiniteSampler, SampleIndex
from .transforms import CropFrames, LoadFrames, PackDepthInputs, ResizeFrames

__all__ = [
    'BaseDepthDataset',
    'CityscapesDataset',
    'CropFrames',
    'DDADDataset',
    'DrivingStereoDataset',
    'FoggyCityscapesDataset',
    'FolderDepthDataset',
    'JoinedDataset',
    'KITTI2015Dataset',
    'KITTIDepthBenchmarkDataset',
    'KITTIOdometryDataset',
    'KITTIRawDataset',
    'KeyedInfiniteSampler',
    'LoadFrames',
    'Make3DDataset',
    'NuScenesDataset',
    'PackDepthInputs',
    'ResizeFrames',
    'RobotCarDataset',
    'SampleIndex',
]

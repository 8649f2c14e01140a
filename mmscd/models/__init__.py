"""Networks, losses and estimators."""

from .backbones import ResNetEncoder
from .data_preprocessor import DepthDataPreprocessor
from .estimators import SelfSupervisedDepthEstimator
from .heads import DispHead
from .pose_nets import PoseNet

__all__ = [
    'DepthDataPreprocessor',
    'DispHead',
    'PoseNet',
    'ResNetEncoder',
    'SelfSupervisedDepthEstimator',
]

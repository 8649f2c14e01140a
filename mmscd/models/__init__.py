"""Networks, losses and estimators."""

from .backbones import ResNetEncoder
from .data_preprocessor import DepthDataPreprocessor
from .distillers import IsomorphicGraphDistiller
from .estimators import SelfSupervisedDepthEstimator
from .heads import DispHead
from .pixel_weights import MovingObjectWeight, StructureWeight
from .pose_nets import PoseNet
from .teachers import MMSegTeacher
from .texture import RetinexTexturePerturbation

__all__ = [
    'DepthDataPreprocessor',
    'DispHead',
    'IsomorphicGraphDistiller',
    'MMSegTeacher',
    'MovingObjectWeight',
    'PoseNet',
    'ResNetEncoder',
    'RetinexTexturePerturbation',
    'SelfSupervisedDepthEstimator',
    'StructureWeight',
]

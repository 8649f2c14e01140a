"""A third party's parts; importing this registers them."""

from .normal_loss import NormalConsistencyLoss
from .timm_backbone import TimmBackbone
from .torchscript_teacher import TorchScriptTeacher

__all__ = ['NormalConsistencyLoss', 'TimmBackbone', 'TorchScriptTeacher']

"""Networks that estimate camera motion."""

from .pose_net import PoseNet

__all__ = ['PoseNet']

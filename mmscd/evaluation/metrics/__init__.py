"""Metrics for mmengine's loops."""

from .depth_metric import DepthMetric
from .edge_metric import EdgeMetric
from .kitti_submission import KITTISubmission
from .pose_metric import PoseMetric

__all__ = ['DepthMetric', 'EdgeMetric', 'KITTISubmission', 'PoseMetric']

"""Evaluation of depth: pure functions, named protocols and the metric for mmengine's loops."""

from .functional import METRIC_NAMES, depth_errors
from .metrics.depth_metric import DepthMetric
from .metrics.edge_metric import EdgeMetric
from .metrics.kitti_submission import KITTISubmission
from .metrics.pose_metric import PoseMetric
from .predictors import ConstantDepth, DepthMap, FlatRoad, build_references
from .protocols import (
    PROTOCOLS,
    DepthProtocol,
    evaluate_depth,
    evaluate_pixels,
    get_protocol,
    select_pixels,
)
from .samples import predicted_depth
from .tables import make_table, summarize

__all__ = [
    'METRIC_NAMES',
    'PROTOCOLS',
    'ConstantDepth',
    'DepthMap',
    'DepthMetric',
    'DepthProtocol',
    'EdgeMetric',
    'FlatRoad',
    'KITTISubmission',
    'PoseMetric',
    'build_references',
    'depth_errors',
    'evaluate_depth',
    'evaluate_pixels',
    'get_protocol',
    'make_table',
    'predicted_depth',
    'select_pixels',
    'summarize',
]

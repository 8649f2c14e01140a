"""The corruption benchmark (KITTI-C) and ablations: passes, scores, tables, charts."""

from .scores import (
    corruption_errors,
    depth_estimation_error,
    resilience_rates,
    score_robustness,
)

__all__ = [
    'corruption_errors',
    'depth_estimation_error',
    'resilience_rates',
    'score_robustness',
]

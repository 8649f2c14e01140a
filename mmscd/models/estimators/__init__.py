"""Depth estimators."""

from .self_supervised import SelfSupervisedDepthEstimator

__all__ = ['SelfSupervisedDepthEstimator']

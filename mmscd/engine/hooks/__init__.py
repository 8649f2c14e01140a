"""Hooks."""

from .atomic_checkpoint_hook import AtomicCheckpointHook, find_latest_checkpoint
from .collapse_monitor_hook import CollapseMonitorHook
from .depth_visualization_hook import DepthVisualizationHook
from .isomorphic_graph_distill_hook import IsomorphicGraphDistillHook
from .iteration_seed_hook import IterationSeedHook
from .loss_schedule_hook import LossScheduleHook

__all__ = [
    'AtomicCheckpointHook',
    'CollapseMonitorHook',
    'DepthVisualizationHook',
    'IsomorphicGraphDistillHook',
    'IterationSeedHook',
    'LossScheduleHook',
    'find_latest_checkpoint',
]

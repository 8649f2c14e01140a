"""Hooks."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .collapse_monitor_hook import CollapseMonitorHook
from .depth_visualization_hook import DepthVisualizationHook
from .isomorphic_graph_distill_hook import IsomorphicGraphDistillHook
from .iteration_seed_hook import IterationSeedHook
from .lazy_runtime_info_hook import LazyRuntimeInfoHook
from .schedule_hook import ScheduleHook
from .stop_hook import StopHook

__all__ = [
    'AtomicCheckpointHook',
    'CollapseMonitorHook',
    'DepthVisualizationHook',
    'IsomorphicGraphDistillHook',
    'IterationSeedHook',
    'LazyRuntimeInfoHook',
    'ScheduleHook',
    'StopHook',
]

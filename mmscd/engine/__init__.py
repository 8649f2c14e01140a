"""What the Runner is driven with."""

from .hooks import (
    AtomicCheckpointHook,
    CollapseMonitorHook,
    DepthVisualizationHook,
    IsomorphicGraphDistillHook,
    IterationSeedHook,
    LazyRuntimeInfoHook,
    ScheduleHook,
    StopHook,
)
from .optimizers import MergedGroupsConstructor
from .run_folder import find_latest_checkpoint

__all__ = [
    'AtomicCheckpointHook',
    'CollapseMonitorHook',
    'DepthVisualizationHook',
    'IsomorphicGraphDistillHook',
    'IterationSeedHook',
    'LazyRuntimeInfoHook',
    'MergedGroupsConstructor',
    'ScheduleHook',
    'StopHook',
    'find_latest_checkpoint',
]

"""What the Runner is driven with."""

from .hooks import (
    AtomicCheckpointHook,
    CollapseMonitorHook,
    DepthVisualizationHook,
    IsomorphicGraphDistillHook,
    IterationSeedHook,
    LazyRuntimeInfoHook,
    ScheduleHook,
    find_latest_checkpoint,
)
from .optimizers import MergedGroupsConstructor

__all__ = [
    'AtomicCheckpointHook',
    'CollapseMonitorHook',
    'DepthVisualizationHook',
    'IsomorphicGraphDistillHook',
    'IterationSeedHook',
    'LazyRuntimeInfoHook',
    'MergedGroupsConstructor',
    'ScheduleHook',
    'find_latest_checkpoint',
]

"""What the Runner is driven with."""

from .hooks import (
    AtomicCheckpointHook,
    CollapseMonitorHook,
    DepthVisualizationHook,
    IsomorphicGraphDistillHook,
    IterationSeedHook,
    find_latest_checkpoint,
)

__all__ = [
    'AtomicCheckpointHook',
    'CollapseMonitorHook',
    'DepthVisualizationHook',
    'IsomorphicGraphDistillHook',
    'IterationSeedHook',
    'find_latest_checkpoint',
]

"""How optimizers are built."""

from .merged_groups import MergedGroupsConstructor

__all__ = ['MergedGroupsConstructor']

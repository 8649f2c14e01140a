"""How optimizers are built."""

from .form import keep_form, make_capturable
from .merged_groups import MergedGroupsConstructor

__all__ = ['MergedGroupsConstructor', 'keep_form', 'make_capturable']

"""Frozen networks that know semantics."""

from .checkpoints import find_weights
from .mmseg_teacher import MMSegTeacher
from .tap_choice import choose_tap

__all__ = ['MMSegTeacher', 'choose_tap', 'find_weights']

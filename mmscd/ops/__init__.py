"""Kernels of the training step: definition, fast forms and oracle side by side."""

from .photometric import minimum_reprojection, photometric_error, reprojection_error
from .synthesis import synthesise_views

__all__ = ['minimum_reprojection', 'photometric_error', 'reprojection_error', 'synthesise_views']

"""Kernels of the training step: definition, fast forms and oracle side by side."""

from .kernels import choose_form
from .photometric import minimum_reprojection, photometric_error, reprojection_error
from .synthesis import synthesise_views
from .warped_error import still_error, warped_error

__all__ = [
    'choose_form',
    'minimum_reprojection',
    'photometric_error',
    'reprojection_error',
    'still_error',
    'synthesise_views',
    'warped_error',
]

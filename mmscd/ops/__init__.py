"""Kernels of the training step: definition, fast form and oracle side by side."""

from .photometric import photometric_error

__all__ = ['photometric_error']

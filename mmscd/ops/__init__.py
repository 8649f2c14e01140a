"""Kernels of the training step: definition, fast form and oracle side by side."""

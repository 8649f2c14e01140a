"""Kernels of the training step: the definition and its fast forms side by side."""

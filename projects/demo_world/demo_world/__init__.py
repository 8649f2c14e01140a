"""Procedural street videos with exact depth, labels and poses (numpy and OpenCV, no PyTorch)."""

RENDERER_VERSION = '2.0'

__all__ = ['RENDERER_VERSION']

"""Procedural street videos with exact depth, labels and poses (numpy and OpenCV only)."""

RENDERER_VERSION = '1.0'

__all__ = ['RENDERER_VERSION']

"""What lies on disk, and the arrays that it stands for: raw formats apart from data sets."""

from .file_index import FileIndex

__all__ = ['FileIndex']

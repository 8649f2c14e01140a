"""Getting KITTI ready: split files, unpacking and checking, a cache of small images."""

__all__: list[str] = []

"""Getting KITTI ready: split files, unpacking and checking, a cache of small images."""

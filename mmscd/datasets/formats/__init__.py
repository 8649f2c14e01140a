"""What lies on disk, and the arrays that it stands for: raw formats apart from data sets."""

from .arrays import camera_matrix, disparity_to_depth, read_depth_npy, read_json, read_npy
from .file_index import FileIndex
from .images import decode_rgb, image_size, read_bytes, read_depth_png
from .lidar import project_points, read_points, rigid_pose

__all__ = [
    'FileIndex',
    'camera_matrix',
    'decode_rgb',
    'disparity_to_depth',
    'image_size',
    'project_points',
    'read_bytes',
    'read_depth_npy',
    'read_depth_png',
    'read_json',
    'read_npy',
    'read_points',
    'rigid_pose',
]

"""Camera and motion geometry in pure torch."""

from .camera import (
    NOT_FINITE,
    backproject,
    disp_to_depth,
    flip_intrinsics,
    invert_intrinsics,
    normalise_pixels,
    pixel_grid,
    proj,
    project,
    sample_views,
    scale_intrinsics,
)
from .pose import (
    axis_angle_to_rotation,
    compose_transform,
    invert_transform,
    mirror_transform,
)

__all__ = [
    'NOT_FINITE',
    'axis_angle_to_rotation',
    'backproject',
    'compose_transform',
    'disp_to_depth',
    'flip_intrinsics',
    'invert_intrinsics',
    'invert_transform',
    'mirror_transform',
    'normalise_pixels',
    'pixel_grid',
    'proj',
    'project',
    'sample_views',
    'scale_intrinsics',
]

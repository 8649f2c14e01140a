"""The 18 image corruptions of the KITTI-C benchmark: seeded, numpy and OpenCV only.

`corrupt(image, name, severity, seed, image_id)` is a pure function of its arguments.
"""

from .common import image_id_from_path
from .corrupt import corrupt
from .parameters import CORRUPTIONS, GROUPS, PARAMETERS, SEVERITIES, VERSION, get_parameters

__all__ = [
    'CORRUPTIONS',
    'GROUPS',
    'PARAMETERS',
    'SEVERITIES',
    'VERSION',
    'corrupt',
    'get_parameters',
    'image_id_from_path',
]

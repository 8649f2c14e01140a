"""From whatever an image comes as to uint8 RGB."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from mmengine.logging import MMLogger

from mmscd.datasets.formats.images import image_size, read_bytes

IMAGE_SUFFIXES = (
    *('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff'),
    *('.ppm', '.pgm', '.jp2'),
)
# colours and depth as stored, alpha dropped, turned as EXIF says: what a viewer shows
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
_ARRAYS = 'expected uint8 RGB of shape (H, W, 3) (or grey (H, W), RGBA (H, W, 4), uint16)'


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """uint8 RGB (H, W, 3) of a file of 8 or 16 bits: grey, colour or palette. Alpha is dropped and
    EXIF's rotation applied, so that the image is the one that viewers show. OSError: no image,
    truncated, or of an unknown kind."""
    data = read_bytes(path)
    try:
        image_size(data, path)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise OSError(
            f'image file {path} ({len(data)} bytes) is truncated, or no image: its content cannot '
            'be decoded, whatever its name says; copy or download it again'
        )
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return as_rgb(image, f'image file {path}')


def as_rgb(image: Any, name: str = 'the image') -> np.ndarray:
    """uint8 RGB (H, W, 3), contiguous, of a PIL image or a uint8 or uint16 array: grey (H, W) or
    (H, W, 1), RGB (H, W, 3), or RGBA (H, W, 4), whose alpha is dropped. OpenCV's arrays are BGR:
    turn them by `[..., ::-1]`. TypeError, ValueError: all else; `name` stands in the error."""
    if hasattr(image, 'convert') and hasattr(image, 'mode'):
        # of PIL; convert('RGB') would cut those of more than 8 bits off at 255
        image = np.asarray(image if image.mode[0] in 'IF' else image.convert('RGB'))
    if not isinstance(image, np.ndarray):
        hint = '; a torch tensor: x.permute(1, 2, 0).numpy()' if hasattr(image, 'detach') else ''
        raise TypeError(f'{name} is a {type(image).__name__}; {_ARRAYS}{hint}')
    if image.dtype not in (np.uint8, np.uint16):
        hint = ''
        if image.dtype.kind == 'f':
            hint = '; for values in [0, 1]: (x * 255).round().astype("uint8")'
        raise TypeError(f'{name} has dtype {image.dtype}; {_ARRAYS}{hint}')
    shape = image.shape
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or image.size == 0:
        channels_first = len(shape) == 3 and shape[0] in (1, 3, 4)
        hint = '; channels come last: x.transpose(1, 2, 0)' if channels_first else ''
        raise ValueError(f'{name} has shape {shape}; {_ARRAYS}{hint}')
    image = image[..., :3] if image.shape[2] > 1 else np.repeat(image, 3, axis=2)
    if image.dtype == np.uint16:
        image = _to_8_bits(image, name)
    return np.ascontiguousarray(image)


def _to_8_bits(image: np.ndarray, name: str) -> np.ndarray:
    """65535 is white: 257 steps to one."""
    if image.max() < 4096:
        # no stretching by the image's own maximum: frames of a video would flicker
        MMLogger.get_current_instance().warning(
            f'{name} has 16 bits but no value above {image.max()}: it comes out almost black. If '
            'its sensor has 10 or 12 bits, multiply it by 64 or 16 first'
        )
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)

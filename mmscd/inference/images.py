"""From whatever an image comes as to uint8 RGB."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmscd.datasets.formats.images import to_8_bits

IMAGE_SUFFIXES = (
    *('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff'),
    *('.ppm', '.pgm', '.jp2'),
)
_ARRAYS = 'expected uint8 RGB of shape (H, W, 3) (or grey (H, W), RGBA (H, W, 4), uint16)'


def as_rgb(image: Any, name: str = 'the image') -> np.ndarray:
    """uint8 RGB (H, W, 3), contiguous, of a PIL image or a uint8 or uint16 array: grey (H, W) or
    (H, W, 1), RGB (H, W, 3), or RGBA (H, W, 4), whose alpha is dropped. OpenCV's arrays are BGR:
    turn them by `[..., ::-1]`. TypeError, ValueError: all else; `name` stands in the error."""
    if hasattr(image, 'convert') and hasattr(image, 'mode'):
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
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
        image = to_8_bits(image, name)
    return np.ascontiguousarray(image)

"""Reading of image files: complete or an error that names the file.

`cv2.imdecode` returns a partly grey image for a truncated JPEG without a word, so every file is
checked for its end marker. The size is read from the header, without decoding.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np

from mmscd.utils.files import atomic_write

IMAGE_EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp')
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
# start-of-frame markers: all of 0xC0..0xCF but DHT (C4), JPG (C8) and DAC (CC)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# by n of the scale 1/n; the pixels as stored: intrinsics know nothing of EXIF rotation
_FLAGS = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}


def read_bytes(path: str | os.PathLike, empty: bool = False) -> bytes:
    """Content of a file, which may be empty only with `empty`. FileNotFoundError or OSError, which
    name the file, where it is missing, unreadable or empty."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'file {path} does not exist; restore it') from None
    except OSError as error:
        raise OSError(f'file {path} cannot be read: {error}') from error
    if not data and not empty:
        raise OSError(f'file {path} is empty; copy or download it again')
    return data


def check_size(
    path: str | os.PathLike, found: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    """Raise ValueError, which names both sizes (width, height), where an image has another than its
    calibration; None: that is not known."""
    if expected is not None and tuple(expected) != found:
        raise ValueError(
            f'{path} is {found[0]}x{found[1]}, but its calibration is for '
            f'{expected[0]}x{expected[1]}: use the original images or correct the calibration'
        )


def check_same_view(
    path: str | os.PathLike, size: tuple[int, int], image: str | os.PathLike, of: tuple[int, int]
) -> None:
    """Raise ValueError, which names both files and sizes (width, height), where a map (ground
    truth, labels) cannot show what its image shows: their aspect ratios differ by more than 2 %."""
    if abs(size[0] * of[1] / (size[1] * of[0]) - 1) > 0.02:
        raise ValueError(
            f'{path} is {size[0]}x{size[1]}, but {image} is {of[0]}x{of[1]}: both must show the '
            'same view; take the maps that belong to these images, or crop the images alike'
        )


def _jpeg_frame_header(data: bytes) -> int | None:
    """Offset of the start-of-frame marker, None where the header is broken."""
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
        elif marker in _SOF:
            return position
        else:
            position += 2 + struct.unpack_from('>H', data, position + 2)[0]
    return None


def image_size(data: bytes, path: str | os.PathLike) -> tuple[int, int]:
    """(width, height) in pixels as stored, from the header of the content; OSError, which names
    `path`, where the image is truncated or unreadable."""
    broken = OSError(
        f'image file {path} is truncated or unreadable ({len(data)} bytes); copy or download it '
        'again, or remove it from the split'
    )
    if data.startswith(_JPEG_START):
        header = _jpeg_frame_header(data)
        # inside the scans 0xFF is always escaped, so an end marker there is the real one;
        # thumbnails with one of their own lie before the frame header
        if header is None or data.rfind(_JPEG_END, header) < 0:
            raise broken
        height, width = struct.unpack_from('>HH', data, header + 5)
    elif data.startswith(_PNG_START):
        if data.rfind(_PNG_END) < 0:
            raise broken
        width, height = struct.unpack_from('>II', data, 16)
    else:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[1])
        if image is None:
            raise broken
        height, width = image.shape[:2]
    return width, height


def reduction_for(size: tuple[int, int], target: tuple[int, int]) -> int:
    """Largest n of 1, 2, 4, 8 such that an image of `size` shrunk n times still covers the target;
    both (width, height)."""
    covering = (
        n for n in (8, 4, 2) if all(-(-a // n) >= b for a, b in zip(size, target, strict=True))
    )
    return next(covering, 1)


def decode_rgb(
    data: bytes, path: str | os.PathLike, target: tuple[int, int] | None = None
) -> tuple[np.ndarray, tuple[int, int], int]:
    """The image (H, W, 3) uint8 RGB of the content of a file, the stored size (width, height), and
    n of its scale 1/n. OSError, which names `path`, where it is truncated or unreadable.

    With a `target` (width, height) a JPEG at least twice as large is decoded at 1/2, 1/4 or 1/8 of
    its size, by scaling inside the inverse DCT, which costs less than a full decode. Then H =
    ceil(height / n): the last row and column may be padding in part, so that the scale is exactly
    1/n.
    """
    size = image_size(data, path)
    shrink = reduction_for(size, target) if target and data.startswith(_JPEG_START) else 1
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[shrink])
    expected = (-(-size[1] // shrink), -(-size[0] // shrink))
    if image is None or image.shape[:2] != expected:
        raise OSError(
            f'image file {path} cannot be decoded: expected {expected[1]}x{expected[0]} pixels, '
            f'got {None if image is None else image.shape}; copy or download it again'
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), size, shrink


def write_rgb(path: str | os.PathLike, image: np.ndarray, quality: int = 95) -> None:
    """Write uint8 RGB (H, W, 3), whole or not at all, as .png, or as .jpg of a quality of 1 to 100;
    OSError."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if Path(path).suffix == '.jpg' else []
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    atomic_write(path, cv2.imencode(Path(path).suffix, bgr, options)[1].tobytes(), sync=False)


def read_depth_png(path: str | os.PathLike, scale: float = 256.0, none: int = 65535) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a single-channel 16-bit PNG as the KITTI
    depth benchmark stores it: `scale` per metre. What is stored as `none`, where depth cameras see
    nothing or not so far, is no measurement either. OSError where it is missing or broken,
    ValueError where it is of another kind."""
    data = read_bytes(path)
    image_size(data, path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise OSError(f'depth file {path} cannot be decoded; copy or download it again')
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise ValueError(
            f'depth file {path} must be a single-channel 16-bit PNG, got {stored.dtype} of shape '
            f'{stored.shape}; 8-bit pictures of depth are not depth'
        )
    return np.where(stored == none, 0, stored.astype(np.float32) / np.float32(scale))

"""The one reader of image files: complete and upright, or an error that names the file.

Images are turned as their EXIF says, which is what viewers show: sizes, intrinsics and ground truth
are those of the upright image. `cv2.imdecode` returns a partly grey image for a truncated JPEG
without a word, so every file is checked for its end marker. The size is read from the header,
without decoding: a file of 20 KB may hold an image of gigabytes.
"""

from __future__ import annotations

import io
import logging
import os
import struct
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log

from mmscd.utils.files import atomic_write

IMAGE_EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp')
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
# start-of-frame markers: all of 0xC0..0xCF but DHT (C4), JPG (C8) and DAC (CC)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MAX_PIXELS = 128_000_000  # of an image, which then takes 384 MB
# by n of the scale 1/n
_FLAGS = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_RGB = getattr(cv2, 'IMREAD_COLOR_RGB', 0)  # since OpenCV 4.11; JPEGs are then decoded to RGB


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
    path: str | os.PathLike,
    found: tuple[int, int],
    expected: tuple[int, int] | None,
    calibration: str | None = None,
) -> None:
    """Raise ValueError, which names both sizes (width, height) and the file of the `calibration`,
    where an image has another than that; None: it is not known."""
    if expected is not None and tuple(expected) != found:
        file = f' {calibration}' if calibration else ''
        turned = ' (turned as its EXIF may say)' if tuple(expected[::-1]) == found else ''
        raise ValueError(
            f'{path} is {found[0]}x{found[1]}{turned}, but its calibration{file} is for '
            f'{expected[0]}x{expected[1]}: use the original images or correct the calibration'
        )


def other_aspect(size: tuple[int, int], of: tuple[int, int]) -> bool:
    """Whether two sizes (width, height) differ in their aspect ratio by more than 2 %."""
    return abs(size[0] * of[1] / (size[1] * of[0]) - 1) > 0.02


def check_same_view(
    path: str | os.PathLike, size: tuple[int, int], image: str | os.PathLike, of: tuple[int, int]
) -> None:
    """Raise ValueError, which names both files and sizes (width, height), where a map (ground
    truth, labels) cannot show what its image shows, by `other_aspect`."""
    if other_aspect(size, of):
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


def _orientation(exif: bytes) -> int:
    """Of an EXIF block; 1 where it does not say."""
    order = {b'II': '<', b'MM': '>'}.get(exif[:2])
    try:
        (start,) = struct.unpack_from(f'{order}I', exif, 4)
        (count,) = struct.unpack_from(f'{order}H', exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f'{order}HHIH', exif, entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:  # cut off, or no order of bytes
        pass
    return 1


def image_size(data: bytes, path: str | os.PathLike) -> tuple[int, int]:
    """(width, height) in pixels of the upright image, from the header of the content; OSError,
    which names `path`, where the image is truncated or unreadable, ValueError where it has more
    than `MAX_PIXELS`, or is an animation."""
    width, height, turn = read_header(data, path)
    return (height, width) if turn > 4 else (width, height)


def read_header(data: bytes, path: str | os.PathLike) -> tuple[int, int, int]:
    """Width and height as stored, and the orientation of EXIF: 1 is upright, 2 to 4 are mirrored or
    upside down, 5 to 8 lie on their side. Errors: see `image_size`."""
    exif = b''
    if data.startswith(_JPEG_START):
        header = _jpeg_frame_header(data)
        # inside the scans 0xFF is always escaped, so an end marker there is the real one;
        # thumbnails with one of their own lie before the frame header
        if header is None or data.rfind(_JPEG_END, header) < 0:
            raise _broken(data, path)
        height, width = struct.unpack_from('>HH', data, header + 5)
        exif = data[:header].partition(b'Exif\0\0')[2]
    elif data.startswith(_PNG_START):
        if len(data) < 24 or data.rfind(_PNG_END) < 0:
            raise _broken(data, path)
        width, height = struct.unpack_from('>II', data, 16)
        exif = data[: max(0, data.find(b'IDAT'))].partition(b'eXIf')[2]
    else:
        from PIL import Image  # takes a while, which trainings need not wait

        try:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                animated = image.format in ('GIF', 'WEBP') and image.is_animated
        except Image.DecompressionBombError as error:  # above a limit that is larger than ours
            raise ValueError(f'image file {path} is too large: {error} Make it smaller') from None
        except (OSError, SyntaxError, ValueError, struct.error):
            raise _broken(data, path) from None
        if animated:
            raise ValueError(f'image file {path} is an animation: give a single image')
    if width * height > MAX_PIXELS:
        raise ValueError(
            f'image file {path} has {width}x{height} pixels, more than the {MAX_PIXELS} that are '
            'read: make it smaller'
        )
    if not data.startswith((_JPEG_START, _PNG_START)):
        # of these neither the end nor the orientation is known
        height, width, _ = _decode(data, path, _FLAGS[1]).shape
    return width, height, _orientation(exif)


def _decode(data: bytes, path: str | os.PathLike, flags: int) -> np.ndarray:
    """What OpenCV makes of a content, upright; its header has been looked at."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    # of floats OpenCV makes one channel also where three are asked for
    if image is None or (image.ndim == 2 and not flags & cv2.IMREAD_ANYCOLOR):
        raise _broken(data, path)
    return image


def _broken(data: bytes, path: str | os.PathLike) -> OSError:
    return OSError(
        f'image file {path} is truncated or unreadable ({len(data)} bytes), whatever its name '
        'says; copy or download it again, or remove it from the split'
    )


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
    """The image (H, W, 3) uint8 RGB of the content of a file, its whole size (width, height), and
    n of its scale 1/n. Grey and palettes become colours, alpha is dropped, 65535 of 16 bits is
    white. OSError, ValueError: see `image_size`.

    With a `target` (width, height) a JPEG at least twice as large is decoded at 1/2, 1/4 or 1/8 of
    its size, by scaling inside the inverse DCT, which costs less than a full decode. Then H =
    ceil(height / n): the last row and column may be padding in part, so that the scale is exactly
    1/n.
    """
    width, height, turn = read_header(data, path)
    size, shrink = (height, width) if turn > 4 else (width, height), 1
    is_jpeg = data.startswith(_JPEG_START)
    if target and turn == 1 and is_jpeg:  # turned, the padding comes first
        shrink = reduction_for(size, target)
    flags = _FLAGS[shrink]
    if is_jpeg and _RGB:
        flags = flags & ~cv2.IMREAD_COLOR | _RGB
    image = _decode(data, path, flags)
    if image.shape[:2] != (-(-size[1] // shrink), -(-size[0] // shrink)):
        raise _broken(data, path)
    if image.dtype == np.uint16:
        image = to_8_bits(image, f'image file {path}')
    if image.dtype != np.uint8:
        raise ValueError(f'image file {path} has values of {image.dtype}: store 8 or 16 bits')
    if not flags & _RGB:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return image, size, shrink


def write_rgb(
    path: str | os.PathLike, image: np.ndarray, quality: int = 95, sync: bool = False
) -> None:
    """Write uint8 RGB (H, W, 3), whole or not at all, as .png, or as .jpg of a quality of 1 to 100;
    `sync`, OSError: see `atomic_write`."""
    suffix = Path(path).suffix.lower()
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in ('.jpg', '.jpeg') else []
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    atomic_write(path, cv2.imencode(suffix, bgr, options)[1].tobytes(), sync)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """An image file as uint8 RGB (H, W, 3); see `read_bytes` and `decode_rgb` for the errors."""
    return decode_rgb(read_bytes(path), path)[0]


def to_8_bits(image: np.ndarray, name: str) -> np.ndarray:
    """uint8 of uint16 values, of which 65535 is white: 257 steps to one."""
    if image.max() < 4096:
        # no stretching by the image's own maximum: frames of a video would flicker
        print_log(
            f'{name} has 16 bits but no value above {image.max()}: it comes out almost black. If '
            'its sensor has 10 or 12 bits, multiply it by 64 or 16 first',
            'current',
            logging.WARNING,
        )
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """Class numbers (H, W), as stored, of a label image: of a palette its numbers, not its colours.
    OSError, ValueError: it is missing or broken, or no label image."""
    from PIL import Image, ImageOps

    data = read_bytes(path)
    image_size(data, path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            labels = np.array(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path} is no label image: {error}; copy or export it again') from None
    if labels.ndim != 2 or labels.dtype.kind not in 'bui':
        raise ValueError(f'{path} is no label image: expected one channel of class numbers')
    return labels


def read_depth_png(path: str | os.PathLike, scale: float = 256.0, none: int = 65535) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a single-channel 16-bit PNG as the KITTI
    depth benchmark stores it: `scale` per metre. What is stored as `none`, where depth cameras see
    nothing or not so far, is no measurement either. OSError where it is missing or broken,
    ValueError where it is of another kind."""
    data = read_bytes(path)
    image_size(data, path)
    stored = _decode(data, path, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise ValueError(
            f'depth file {path} must be a single-channel 16-bit PNG, got {stored.dtype} of shape '
            f'{stored.shape}; 8-bit pictures of depth are not depth'
        )
    return np.where(stored == none, 0, stored.astype(np.float32) / np.float32(scale))

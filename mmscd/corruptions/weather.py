"""Weather and light: brightness, dark, fog, frost, snow, contrast.

Every function takes a uint8 RGB image (H, W, 3), the parameters of one severity and a generator,
and returns a new uint8 image of the same shape.
"""

from __future__ import annotations

import cv2
import numpy as np

from .common import directed_blur, to_uint8, zoom_about_centre
from .frost_pictures import crop_frost
from .noise import photon_noise


def brightness(image: np.ndarray, added: float, rng: np.random.Generator) -> np.ndarray:
    """Raise V of HSV, hue and saturation kept: all channels are scaled by V' / V."""
    red, green, blue = cv2.split(image)
    value = cv2.max(cv2.max(red, green), blue)
    levels = np.arange(256, dtype=np.float32)
    raised = np.minimum(levels + 255 * added, 255)
    scale = raised / np.maximum(levels, 1)
    bright = image * scale[value][..., None]
    # black has no hue: it becomes grey
    bright[value == 0] = raised[0]
    return to_uint8(bright)


def dark(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Stretch the range, gamma 2, scale down; then photon and sensor noise."""
    scale, photons, sigma = parameters
    low, high = int(image.min()), int(image.max())
    if low == high:
        low, high = 0, 255
    levels = np.arange(256)
    table = scale * ((levels - low) / (high - low)).clip(0, 1) ** 2
    noisy = photon_noise(image, table, photons, rng)
    noisy += np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    return to_uint8(255 * noisy)


def plasma_fractal(size: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    """Cloudy noise by the diamond-square algorithm on a torus, float32 (size, size) from 0 to 1.
    `size` is a power of 2; the random part shrinks by the square of `decay` from one level to the
    next."""
    field = np.zeros((1, 1), np.float32)
    amplitude = 100.0
    while field.shape[0] < size:
        side, reach = field.shape[0], np.float32(amplitude**2)
        jitter = rng.random((3, side, side), dtype=np.float32)
        jitter *= 2 * reach
        jitter -= reach
        below = np.roll(field, -1, 0)
        centres = (field + below + np.roll(field, -1, 1) + np.roll(below, -1, 1)) / 4 + jitter[0]
        finer = np.empty((2 * side, 2 * side), np.float32)
        finer[::2, ::2], finer[1::2, 1::2] = field, centres
        across = centres + np.roll(centres, 1, 0) + field + np.roll(field, -1, 1)
        finer[::2, 1::2] = across / 4 + jitter[1]
        down = centres + np.roll(centres, 1, 1) + field + below
        finer[1::2, ::2] = down / 4 + jitter[2]
        field = finer
        amplitude /= decay
    field -= field.min()
    return field / max(float(field.max()), 1e-12)


def fog(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Add a plasma cloud and compress the range back.

    A small part of the map can be all thin or all thick. So the part that is used is shifted to the
    mean 0.5 that the map has on average: each image gets the fog that its severity says.
    """
    thickness, decay = parameters
    height, width = image.shape[:2]
    size = 1 << (max(height, width) - 1).bit_length()
    cloud = plasma_fractal(size, decay, rng)[:height, :width]
    cloud = np.maximum(cloud + (0.5 - cloud.mean()), 0)
    highest = float(image.max()) / 255
    factor = highest / (highest + thickness)
    fogged = image * np.float32(factor)
    fogged += (np.float32(255 * thickness * factor) * cloud)[..., None]
    return to_uint8(fogged)


def frost(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Weighted sum of the image and of a random cut of a frost picture."""
    image_weight, frost_weight = parameters
    picture = crop_frost(image.shape[:2], rng)
    return cv2.addWeighted(image, image_weight, picture, frost_weight, 0)


def snow(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Whiten the image, add falling flakes: thresholded noise, zoomed and blurred along its way,
    and the same turned by 180 degrees."""
    mean, std, zoom, threshold, radius, sigma, weight = parameters
    angle = rng.uniform(-135, -45)
    noise = rng.standard_normal(image.shape[:2], dtype=np.float32)
    flakes = zoom_about_centre(noise * np.float32(std) + np.float32(mean), zoom)
    flakes[flakes < threshold] = 0
    flakes = directed_blur(np.clip(flakes, 0, 1), radius, sigma, angle)
    flakes = np.rint(255 * flakes)
    flakes += np.ascontiguousarray(flakes[::-1, ::-1])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) * 1.5 + 127.5
    whitened = image * np.float32(weight)
    whitened += np.float32(1 - weight) * np.maximum(image, grey[..., None])
    whitened += flakes[..., None]
    return to_uint8(whitened)


def contrast(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Draw every channel towards its mean."""
    means = np.array(cv2.mean(image)[:3])
    levels = np.arange(256)[:, None]
    table = to_uint8((levels - means) * factor + means)
    return cv2.LUT(image, np.ascontiguousarray(table[:, None]))

"""Sensor and motion: the blurs and the elastic transform; see `weather` for the signature."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from .common import directed_blur, to_uint8, zoom_about_centre


@cache
def disk_kernel(radius: int, edge_blur: float) -> np.ndarray:
    """A disk of the given radius with a softened edge, float32, sum 1; the smallest is 17 wide."""
    reach = max(8, radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.float32)
    side = 3 if radius <= 8 else 5
    kernel = cv2.GaussianBlur(disk / disk.sum(), (side, side), sigmaX=edge_blur)
    kernel.flags.writeable = False
    return kernel


def defocus_blur(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Convolve with a disk."""
    kernel = disk_kernel(*parameters)
    return to_uint8(cv2.filter2D(image.astype(np.float32), -1, kernel))


def _gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * int(4 * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def scatter_sources(height: int, width: int, reach: int, rng: np.random.Generator) -> np.ndarray:
    """Where every pixel comes from after one round of local scattering: flat indices (H * W,),
    int64; `reach` rows and columns at the border keep their place.

    The published loop walks from the last pixel to the first and writes to each the pixel at a
    random offset in [-reach, reach) (its swap of array views copies one way only). A pixel that was
    written before hands on what it got, so that sources form chains. Here the chains are followed
    for all pixels at once by doubling: the result is that of the loop.
    """
    own = np.arange(height * width).reshape(height, width)
    sources: np.ndarray = own.copy()
    inside = np.s_[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1]
    offset = rng.integers(-reach, reach, (2, *own[inside].shape))
    sources[inside] += offset[0] * width + offset[1]
    written: np.ndarray = np.zeros((height, width), bool)
    written[inside] = True
    sources, written = sources.ravel(), written.ravel()
    # the source is that of the pixel pointed to, where the loop had been there before
    is_link = written[sources] & (sources > own.ravel())
    links = np.flatnonzero(is_link)
    while links.size:
        reached = sources[links]
        goes_on = is_link[reached]
        sources[links] = sources[reached]
        is_link[links] = goes_on
        links = links[goes_on]
    return sources


def glass_blur(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Smooth, scatter pixels to their neighbourhood, smooth again."""
    sigma, reach, rounds = parameters
    height, width = image.shape[:2]
    pixels = _gaussian(image, sigma).reshape(-1, 3)
    for turn in range(rounds):
        sources = scatter_sources(height, width, reach, rng)
        if turn % 2:
            # from the other end: one direction alone moves the whole image by half a pixel or more
            sources = (height * width - 1 - sources)[::-1]
        pixels = pixels[sources]
    return _gaussian(pixels.reshape(image.shape), sigma)


def motion_blur(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Smear along a random direction within 45 degrees of the horizontal."""
    radius, sigma = parameters
    angle = rng.uniform(-45, 45)
    return to_uint8(directed_blur(image.astype(np.float32), radius, sigma, angle))


def zoom_blur(image: np.ndarray, parameters: tuple, rng: np.random.Generator) -> np.ndarray:
    """Mean of the image and of its enlargements about the centre."""
    factors = np.arange(1, *parameters)
    base = image.astype(np.float32)
    # the first factor is 1: the image counts twice
    total = 2 * base
    for factor in factors[1:]:
        total += zoom_about_centre(base, float(factor))
    return to_uint8(total / (len(factors) + 1))


def elastic_transform(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Displace every pixel by smoothed uniform noise."""
    height, width = image.shape[:2]
    reach = height * 0.005
    noise = rng.uniform(-reach, reach, (height, width, 2)).astype(np.float32)
    sigma = (0.01 * width, 0.01 * height)
    side = [2 * int(3 * s + 0.5) + 1 for s in sigma]
    smooth = cv2.GaussianBlur(noise, side, sigma[0], sigmaY=sigma[1], borderType=cv2.BORDER_REFLECT)
    smooth *= 250 * amount
    smooth[..., 0] += np.arange(width, dtype=np.float32)
    smooth[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(image, smooth, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

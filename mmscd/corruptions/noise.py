"""Data and processing: noise, and loss by coarse values, pixels and JPEG; see `weather` for the
signature."""

from __future__ import annotations

import cv2
import numpy as np

from .common import to_uint8


def photon_noise(
    image: np.ndarray, table: np.ndarray, photons: int, rng: np.random.Generator
) -> np.ndarray:
    """Poisson noise of a light level per value, float32 in [0, 1]: `table` (256,) is the light in
    [0, 1] of each uint8 value, `photons` the mean count at light 1."""
    counts = rng.poisson((table * photons)[image])
    return np.minimum(counts / np.float32(photons), 1, dtype=np.float32)


_LEVELS = np.arange(256) / 255


def gaussian_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise to every value."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return to_uint8(noise * np.float32(255 * sigma) + image)


def impulse_noise(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Set a share of the values, each channel for itself, to 0 or 255 with equal chances."""
    draw = rng.random(image.shape, dtype=np.float32)
    noisy = image.copy()
    noisy[draw < amount / 2] = 0
    noisy[draw >= 1 - amount / 2] = 255
    return noisy


def shot_noise(image: np.ndarray, photons: int, rng: np.random.Generator) -> np.ndarray:
    """Count photons."""
    return to_uint8(255 * photon_noise(image, _LEVELS, photons, rng))


def iso_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """25 photons at full light, then electronic noise."""
    noisy = photon_noise(image, _LEVELS, 25, rng)
    noisy += np.float32(0.7 * sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    return to_uint8(255 * noisy)


def color_quant(image: np.ndarray, bits: int, rng: np.random.Generator) -> np.ndarray:
    """Keep the leading bits of every value."""
    return image & np.uint8(256 - (1 << (8 - bits)))


def pixelate(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Shrink by area averages, enlarge by repetition."""
    height, width = image.shape[:2]
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def jpeg_compression(image: np.ndarray, quality: int, rng: np.random.Generator) -> np.ndarray:
    """Encode and decode as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    encoded = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1]
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

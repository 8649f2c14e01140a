"""Light: what shines on a street, linear and encoded values, fog and sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """The light of the sky over a street.

    Attributes:
        sun: Colour of the sun, (3,).
        sky: Colour of the sky's light on a surface that faces it, (3,).
        dome: Horizon and zenith colours as the camera sees them, (2, 3); None: the street's own.
        clouds: Brightness of the clouds before that sky.
    """

    sun: np.ndarray
    sky: np.ndarray
    dome: np.ndarray | None = None
    clouds: float = 1.0


DAY = Light(np.array([0.80, 0.75, 0.66], np.float32), np.array([0.68, 0.71, 0.78], np.float32))


def overcast(sun: float, sky: float, grey: float) -> Light:
    """The light under clouds.

    Args:
        sun: Share of the sun that comes through.
        sky: Brightness of the sky's light relative to a clear day.
        grey: Brightness of the clouds at the horizon, encoded, in [0, 1].
    """
    dome = grey * np.array([(1.0, 1.01, 1.03), (0.86, 0.88, 0.92)])
    diffuse = np.full(3, sky * DAY.sky.mean(), np.float32)
    return Light(np.float32(sun) * DAY.sun, diffuse, dome, grey)


def to_linear(encoded: np.ndarray) -> np.ndarray:
    """Light of encoded values in [0, 1] (sRGB), float32."""
    encoded = np.asarray(encoded, np.float32)
    bent = ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** np.float32(2.4)
    return np.where(encoded <= 0.04045, encoded / np.float32(12.92), bent)


def to_encoded(linear: np.ndarray) -> np.ndarray:
    """Encoded values in [0, 1] (sRGB) of light; what is outside of [0, 1] is clipped."""
    linear = np.clip(np.asarray(linear, np.float32), 0, 1)
    bent = 1.055 * np.maximum(linear, 0.0031308) ** np.float32(1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), bent)


def add_fog(
    radiance: np.ndarray, distance: np.ndarray, beta: float, airlight: np.ndarray
) -> np.ndarray:
    """Koschmieder's law: I = J exp(-beta d) + A (1 - exp(-beta d)), in linear light.

    Args:
        radiance: J, what the surfaces send, (h, w, 3).
        distance: d, metres along the ray, infinite for the sky, (h, w).
        beta: Extinction in 1/m.
        airlight: A, the colour of dense fog, (3,).
    """
    through = np.exp(-beta * distance)[..., None]
    return radiance * through + np.asarray(airlight) * (1 - through)


def add_sensor_noise(
    linear: np.ndarray, photons: float, read: float, rng: np.random.Generator
) -> np.ndarray:
    """Shot noise, whose variance is the light over `photons` of a full well, and read noise."""
    spread = np.sqrt(np.clip(linear, 0, 1) / photons + read**2)
    return linear + spread * rng.standard_normal(linear.shape)

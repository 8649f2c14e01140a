"""Weather, night and motion that are drawn into a street: four kinds of shift, three levels each.

The camera, the street and its true depth stay as they are; what changes is light.
"""

from __future__ import annotations

import numpy as np

from .frames import FrameRenderer
from .light import add_fog, overcast, to_encoded, to_linear
from .motion import draw_motion
from .night import Darkness, draw_night
from .rain import Rain, draw_rain

# Part of what the images depend on, like the version of the renderer.
SHIFTS_VERSION = '1'
# Extinction in 1/m: of a contrast 5 % are left at 100, 50 and 27 m.
FOG = {1: 0.03, 2: 0.06, 3: 0.11}
NIGHT = {
    1: Darkness(0.12, 1.0, 3000, 0.002),
    2: Darkness(0.04, 0.8, 1000, 0.004),
    3: Darkness(0.012, 0.5, 350, 0.007),
}
RAIN = {
    1: Rain(0.35, 0.3, 1 / 120, 0.004, 0.72),
    2: Rain(0.65, 0.8, 1 / 80, 0.008, 0.62),
    3: Rain(0.95, 1.6, 1 / 60, 0.016, 0.52),
}
# Exposure in frames (one is about 0.85 m) and sub-frames.
MOTION = {1: (0.5, 8), 2: (1.0, 12), 3: (2.0, 18)}
LEVELS = (1, 2, 3)


def draw_fog(renderer: FrameRenderer, index: int, beta: float) -> np.ndarray:
    """The street in fog as a camera encodes it, (H, W, 3) in [0, 1]."""
    shot = renderer.shot(index)
    # The denser the fog, the less of the light still comes from the sun's direction.
    light = overcast(float(np.exp(-30 * beta)), 1.25, 0.8)
    airlight = to_linear(light.dome[0])
    radiance = to_linear(renderer.encoded(shot, light))
    fogged = add_fog(radiance, shot.distance(), beta, airlight)
    return to_encoded(renderer.shrink(fogged.astype(np.float32)))


def _fog(renderer: FrameRenderer, index: int, level: int, rng: np.random.Generator) -> np.ndarray:
    return draw_fog(renderer, index, FOG[level])


def _night(renderer: FrameRenderer, index: int, level: int, rng: np.random.Generator) -> np.ndarray:
    return draw_night(renderer, index, NIGHT[level], rng)


def _rain(renderer: FrameRenderer, index: int, level: int, rng: np.random.Generator) -> np.ndarray:
    return draw_rain(renderer, index, RAIN[level], rng)


def _motion(
    renderer: FrameRenderer, index: int, level: int, rng: np.random.Generator
) -> np.ndarray:
    return draw_motion(renderer, index, *MOTION[level])


# The names differ from those of the image operations, which stand beside them in tables.
SHIFTS = {'lab_fog': _fog, 'lab_night': _night, 'lab_rain': _rain, 'lab_motion': _motion}


def draw_shift(
    renderer: FrameRenderer, index: int, name: str, level: int, key: tuple[int, ...]
) -> np.ndarray:
    """One frame of a street under a shift.

    Args:
        renderer: Of the street.
        index: Frame number.
        name: One of `SHIFTS`.
        level: One of `LEVELS`.
        key: Seed and drive number: drops, lamps and noise are a function of it, of the frame and
            of the shift.

    Returns:
        RGB, uint8 (H, W, 3).
    """
    rng = np.random.default_rng([*key, index, list(SHIFTS).index(name)])
    return np.rint(255 * SHIFTS[name](renderer, index, level, rng)).astype(np.uint8)

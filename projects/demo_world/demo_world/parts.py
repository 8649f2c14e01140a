"""Painted textures of street furniture and cars, and the scene's table of materials."""

from __future__ import annotations

import numpy as np

from . import materials as mat
from .textures import Canvas, Texture


def car_side(rng: np.random.Generator) -> Texture:
    """Doors, handles, trim and wheel arches, stretched over a car's flank."""
    cv = Canvas((4.3, 0.8), (256, 64), (0.8, 0.8, 0.8))
    cv.image *= np.linspace(1.08, 0.78, 64, dtype=np.float32)[:, None, None]
    cv.grain(rng, 0.05, (0.15, 0.8), 0.6)
    for x in (1.25, 2.25, 3.2):
        cv.rect(x, 0.0, x + 0.035, 0.62, (0.2, 0.2, 0.2))
    for x in (1.95, 2.95):
        cv.rect(x, 0.12, x + 0.2, 0.17, (0.25, 0.25, 0.25))
    cv.rect(0, 0.4, 4.3, 0.45, (0.35, 0.35, 0.36))
    cv.rect(0, 0.66, 4.3, 0.8, (0.13, 0.13, 0.13))
    for x in (0.85, 3.45):
        cv.disc(x, 0.75, 0.43, (0.06, 0.06, 0.06))
    return cv.texture()


def car_end(rng: np.random.Generator, front: bool) -> Texture:
    """Lamps, number plate, grille and bumper, stretched over a car's end."""
    cv = Canvas((1.75, 0.8), (128, 64), (0.8, 0.8, 0.8))
    cv.grain(rng, 0.05, (0.15, 0.8), 0.6)
    lamp = (0.95, 0.93, 0.85) if front else (0.7, 0.07, 0.05)
    cv.rect(0.06, 0.14, 0.42, 0.34, lamp)
    cv.rect(1.33, 0.14, 1.69, 0.34, lamp)
    cv.rect(0.0, 0.52, 1.75, 0.8, (0.2, 0.2, 0.21))
    if front:
        for y in (0.14, 0.22, 0.3):
            cv.rect(0.5, y, 1.25, y + 0.045, (0.1, 0.1, 0.1))
    cv.rect(0.6, 0.44, 1.15, 0.58, (0.92, 0.92, 0.88))
    for x in np.arange(0.66, 1.08, 0.08):
        cv.rect(x, 0.47, x + 0.04, 0.55, (0.1, 0.1, 0.12))
    return cv.texture()


def car_glass(rng: np.random.Generator) -> Texture:
    """Cabin windows between pillars, with a slanted reflection, stretched over a cabin side."""
    cv = Canvas((2.0, 0.6), (128, 64), (0.75, 0.75, 0.75))
    for a, b in ((0.12, 0.92), (1.04, 1.88)):
        cv.rect(a, 0.07, b, 0.56, (0.13, 0.15, 0.18))
        cv.rect(a, 0.07, b, 0.22, (0.34, 0.38, 0.43), 0.8)
        cv.rect(a + 0.3, 0.3, a + 0.55, 0.56, (0.06, 0.06, 0.07), 0.8)
    cv.grain(rng, 0.05, (0.06, 0.4), 0.5)
    return cv.texture()


def car_screen(rng: np.random.Generator) -> Texture:
    """Front or rear window: reflections above, seats behind, stretched over the pane."""
    cv = Canvas((1.5, 0.7), (128, 64), (0.2, 0.23, 0.27))
    cv.image += np.linspace(0.28, -0.06, 64, dtype=np.float32)[:, None, None]
    cv.grain(rng, 0.22, (0.15, 0.8), 1.0, (2.0, 1.0))
    for x in (0.3, 0.95):
        cv.rect(x, 0.28, x + 0.3, 0.7, (0.08, 0.08, 0.09), 0.75)
    cv.rect(0, 0, 1.5, 0.04, (0.1, 0.1, 0.1))
    cv.rect(0, 0.65, 1.5, 0.7, (0.07, 0.07, 0.07))
    cv.rect(0, 0, 0.06, 0.7, (0.1, 0.1, 0.1))
    cv.rect(1.44, 0, 1.5, 0.7, (0.1, 0.1, 0.1))
    return cv.texture()


def signs(rng: np.random.Generator) -> Texture:
    """Four traffic signs side by side: each quad shows a quarter of the tile."""
    cv = Canvas((4.0, 1.0), (256, 64), (0.9, 0.9, 0.88))
    cv.rect(0, 0, 1, 1, (0.8, 0.08, 0.08))
    cv.rect(0.14, 0.14, 0.86, 0.86, (0.93, 0.93, 0.9))
    cv.rect(0.26, 0.3, 0.44, 0.7, (0.08, 0.08, 0.08))
    cv.rect(0.54, 0.3, 0.74, 0.7, (0.08, 0.08, 0.08))
    cv.rect(1, 0, 2, 1, (0.06, 0.2, 0.6))
    cv.rect(1.42, 0.2, 1.58, 0.85, (0.95, 0.95, 0.95))
    cv.rect(1.25, 0.2, 1.75, 0.38, (0.95, 0.95, 0.95))
    cv.rect(2, 0, 3, 1, (0.95, 0.75, 0.05))
    cv.rect(2.2, 0.2, 2.8, 0.8, (0.1, 0.1, 0.1))
    cv.rect(2.3, 0.42, 2.7, 0.58, (0.95, 0.75, 0.05))
    cv.rect(3, 0, 4, 1, (0.05, 0.4, 0.2))
    for y in (0.15, 0.4, 0.65):
        cv.rect(3.12, y, 3.12 + rng.uniform(0.4, 0.75), y + 0.16, (0.95, 0.95, 0.95))
    return cv.texture()


def fence(rng: np.random.Generator) -> Texture:
    """Wooden boards with gaps and rails, 4 x 1.4 m."""
    cv = Canvas((4.0, 1.4), (256, 128), (0.5, 0.4, 0.29))
    for i in range(20):
        cv.scale(i * 0.2, 0, i * 0.2 + 0.2, 1.4, rng.uniform(0.75, 1.2))
        cv.rect(i * 0.2, 0, i * 0.2 + 0.035, 1.4, (0.13, 0.12, 0.09))
    for y in (0.25, 1.05):
        cv.scale(0, y, 4, y + 0.1, 0.75)
    cv.grain(rng, 0.12, (0.1, 0.6), 0.4, (0.5, 3.0))
    return cv.texture()


def lamps(rng: np.random.Generator) -> Texture:
    """Face of a traffic light."""
    cv = Canvas((0.4, 1.0), (32, 64), (0.09, 0.09, 0.09))
    for y, colour in ((0.2, (0.85, 0.1, 0.08)), (0.5, (0.4, 0.28, 0.05)), (0.8, (0.05, 0.3, 0.12))):
        cv.disc(0.2, y, 0.11, colour)
    cv.grain(rng, 0.04, (0.05, 0.3), 0.5)
    return cv.texture()


def clouds(rng: np.random.Generator) -> Texture:
    """Cloud cover over 90 x 30 degrees (one 'metre' is one degree), grey-level only."""
    cv = Canvas((90.0, 30.0), (512, 256), (0.5, 0.5, 0.5))
    cv.grain(rng, 0.42, (1.2, 24.0), 1.5, (2.2, 1.0))
    return cv.texture()


def scene_materials(
    rng: np.random.Generator, half: float, lanes: tuple[float, float]
) -> dict[str, Texture]:
    """Paints every texture of one scene.

    Args:
        rng: Random generator of the scene.
        half: Half of the road's width in metres.
        lanes: See `materials.road`.

    Returns:
        Textures by name.
    """
    out = {
        'road': mat.road(rng, half, lanes),
        'asphalt': mat.mottled(rng, (12, 12), (512, 512), (0.38, 0.38, 0.39), 0.14, 0.09, 4.0),
        'paving': mat.paving(rng),
        'grass': mat.grass(rng),
        'kerb': mat.mottled(rng, (6, 1.5), (256, 64), (0.62, 0.61, 0.58), 0.16, 0.08, 0.8),
        'leaf': mat.leaves(rng),
        'brick': mat.brick(rng),
        'bark': mat.mottled(rng, (2, 4), (64, 128), (0.36, 0.29, 0.22), 0.3, 0.07, 0.5, (0.6, 2.5)),
        'concrete': mat.mottled(rng, (8, 8), (256, 256), (0.66, 0.65, 0.62), 0.13, 0.1, 3.0),
        'roof': mat.mottled(
            rng, (8, 8), (256, 256), (0.5, 0.33, 0.27), 0.24, 0.12, 1.2, (1.5, 0.7)
        ),
        'metal': mat.mottled(rng, (1, 4), (32, 128), (0.42, 0.44, 0.45), 0.16, 0.08, 1.0),
        'cloth': mat.mottled(rng, (2, 2), (64, 64), (0.7, 0.7, 0.7), 0.28, 0.08, 0.6),
        'tyre': mat.mottled(rng, (1, 1), (64, 64), (0.12, 0.12, 0.125), 0.35, 0.05, 0.3),
        'paint': mat.mottled(rng, (4, 4), (128, 128), (0.8, 0.8, 0.8), 0.06, 0.12, 1.5),
        'car_side': car_side(rng),
        'car_glass': car_glass(rng),
        'car_front': car_end(rng, True),
        'car_rear': car_end(rng, False),
        'car_screen': car_screen(rng),
        'signs': signs(rng),
        'fence': fence(rng),
        'lamps': lamps(rng),
        'clouds': clouds(rng),
    }
    for i in range(5):
        out[f'facade{i}'] = mat.facade(rng, rng.uniform(2.6, 3.6), i % 3)
    for i in range(2):
        out[f'shops{i}'] = mat.shops(rng)
    return out

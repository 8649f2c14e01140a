"""Painted textures: grounds, buildings and small parts. Sizes are in metres."""

from __future__ import annotations

import numpy as np

from .textures import Canvas, Texture, noise

FLOOR = 3.2
SHOP_HEIGHT = 4.0


def road(rng: np.random.Generator, half: float, lanes: tuple[float, float]) -> Texture:
    """Asphalt with repairs, cracks, wheel tracks, lane marks and a crossing, 48 m long.

    Args:
        rng: Random generator.
        half: Half of the road's width in metres.
        lanes: Left and right end of the part that traffic uses, metres from the road's centre;
            where they leave room to the kerb, a line marks the parking places.
    """
    wide = 2 * half
    cv = Canvas((wide, 48.0), (512, 2048), (0.37, 0.37, 0.385))
    cv.grain(rng, 0.10, (1.2, 8.0), 1.0)
    x = (np.arange(512) + 0.5) / 512 * wide
    left, right = half + lanes[0], half + lanes[1]
    for share in (0.15, 0.38, 0.62, 0.85):
        track = left + share * (right - left)
        cv.image *= (1 - 0.10 * np.exp(-0.5 * ((x - track) / 0.25) ** 2))[None, :, None]
    for _ in range(26):
        a, b = rng.uniform(0, wide - 0.8), rng.uniform(0, 46.0)
        w, h = rng.uniform(0.5, 3.0), rng.uniform(0.6, 5.0)
        cv.scale(a, b, a + w, b + h, rng.choice([0.72, 0.8, 0.88, 1.12, 1.2]))
    for _ in range(60):
        start = rng.uniform((0, 0), (wide, 48))
        walk = np.cumsum(rng.normal(0, 0.22, (rng.integers(6, 26), 2)) + rng.normal(0, 0.12, 2), 0)
        cv.line(start + walk, (0.17, 0.17, 0.18), int(rng.integers(1, 3)))
    for _ in range(9):
        spot = rng.uniform((1, 1), (wide - 1, 47))
        cv.disc(*spot, 0.42, (0.42, 0.40, 0.38))
        cv.disc(*spot, 0.36, (0.2, 0.19, 0.18))
        cv.disc(*spot, 0.14, (0.33, 0.31, 0.3))
    _road_marks(cv, left, right, wide)
    cv.grain(rng, 0.13, (0.09, 0.5), 0.3)
    cv.grain(rng, 0.08, (0.25, 2.0), 0.7)
    return cv.texture()


def _road_marks(cv: Canvas, left: float, right: float, wide: float) -> None:
    white, mid = (0.86, 0.86, 0.83), (left + right) / 2
    for z in np.arange(0, 48, 6.0):
        cv.rect(mid - 0.08, z, mid + 0.08, z + 3.0, white, 0.9)
    for edge in (left, right):
        if 0.5 < edge < wide - 0.5:
            for z in np.arange(0, 48, 3.0):
                cv.rect(edge - 0.07, z, edge + 0.07, z + 1.6, white, 0.75)
    for x in np.arange(0.5, wide - 0.6, 1.0):
        cv.rect(x, 30.0, x + 0.5, 33.4, white, 0.85)


def paving(rng: np.random.Generator) -> Texture:
    """Concrete slabs of mixed brightness, 6 x 12 m."""
    cv = Canvas((6.0, 12.0), (256, 512), (0.56, 0.54, 0.5))
    for i in range(10):
        for j in range(20):
            cv.scale(
                i * 0.6,
                j * 0.6,
                i * 0.6 + 0.6,
                j * 0.6 + 0.6,
                rng.choice([0.78, 0.88, 0.95, 1, 1.1]),
            )
    for i in range(10):
        cv.rect(i * 0.6, 0, i * 0.6 + 0.045, 12, (0.3, 0.29, 0.27), 0.8)
    for j in range(20):
        cv.rect(0, j * 0.6, 6, j * 0.6 + 0.045, (0.3, 0.29, 0.27), 0.8)
    cv.grain(rng, 0.10, (0.08, 0.6), 0.4)
    cv.grain(rng, 0.10, (0.5, 4.0), 1.0)
    return cv.texture()


def mottled(
    rng: np.random.Generator,
    metres: tuple[float, float],
    pixels: tuple[int, int],
    colour,
    amount: float,
    fine: float,
    coarse: float,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Texture:
    """Plain noisy matter such as bark, concrete, cloth or paint.

    Args:
        rng: Random generator.
        metres: Tile size.
        pixels: Tile size in texels.
        colour: Mean RGB.
        amount: Relative contrast.
        fine: Shortest wavelength in metres.
        coarse: Longest wavelength in metres.
        stretch: Elongation of the blobs along x and y.
    """
    cv = Canvas(metres, pixels, colour)
    cv.grain(rng, amount, (fine, coarse), 0.8, stretch)
    cv.image *= 1 + 0.05 * noise(rng, cv.image.shape[:2], metres[::-1], (fine, coarse))[..., None]
    return cv.texture()


def grass(rng: np.random.Generator) -> Texture:
    """Lawn with tufts and bare spots, 12 x 12 m."""
    cv = Canvas((12.0, 12.0), (512, 512), (0.36, 0.43, 0.2))
    field = cv.grain(rng, 0.16, (0.8, 5.0), 0.9)
    bare = np.clip(field - 0.9, 0, 1)[..., None]
    cv.image += bare * (np.array([0.48, 0.4, 0.28], np.float32) - cv.image)
    cv.grain(rng, 0.22, (0.09, 0.6), 0.3)
    return cv.texture()


def leaves(rng: np.random.Generator) -> Texture:
    """Foliage with dark gaps and lit clumps, 5 x 5 m."""
    cv = Canvas((5.0, 5.0), (256, 256), (0.30, 0.41, 0.17))
    cv.grain(rng, 0.30, (0.16, 0.8), 0.3)
    field = cv.grain(rng, 0.26, (0.35, 1.6), 0.6)
    cv.image[..., 0] *= 1 + 0.10 * np.clip(field, -2, 2)
    return cv.texture()


def brick(rng: np.random.Generator) -> Texture:
    """Bare brick wall with stains, 8 x 8 m; a neutral tone that quads tint."""
    cv = Canvas((8.0, 8.0), (256, 256), (0.76, 0.72, 0.68))
    for j in range(32):
        for i in range(16):
            x = i * 0.5 + (j % 2) * 0.25
            cv.scale(x, j * 0.25, x + 0.5, j * 0.25 + 0.25, rng.uniform(0.72, 1.12))
        cv.rect(0, j * 0.25, 8, j * 0.25 + 0.035, (0.75, 0.73, 0.7), 0.5)
    cv.grain(rng, 0.10, (0.5, 4.0), 1.0, (0.6, 2.0))
    cv.grain(rng, 0.08, (0.12, 0.5), 0.3)
    return cv.texture()


def facade(rng: np.random.Generator, bay: float, kind: int) -> Texture:
    """Four floors of windows, no two alike; 4 bays wide, tinted by the quads.

    Args:
        rng: Random generator.
        bay: Width of a bay in metres.
        kind: 0 plaster, 1 brick courses, 2 stone blocks.
    """
    cv = Canvas((4 * bay, 4 * FLOOR), (512, 512), (0.84, 0.82, 0.79))
    course = (0.0, 0.16, 0.4)[kind]
    if course:
        for j in range(round(4 * FLOOR / course)):
            for i in range(round(4 * bay / (2.5 * course))):
                x, y = (i + 0.5 * (j % 2)) * 2.5 * course, j * course
                cv.scale(x, y, x + 2.5 * course, y + course, rng.uniform(0.76, 1.1))
    cv.grain(rng, 0.07, (0.5, 5.0), 1.0, (0.6, 2.2))
    width, height = rng.uniform(0.42, 0.6) * bay, rng.uniform(1.5, 2.0)
    for j in range(4):
        cv.rect(0, j * FLOOR + FLOOR - 0.22, 4 * bay, j * FLOOR + FLOOR, (0.86, 0.85, 0.82), 0.8)
        cv.scale(0, j * FLOOR, 4 * bay, j * FLOOR + 0.12, 0.72)
        for i in range(4):
            _window(cv, rng, (i + 0.5) * bay - width / 2, j * FLOOR + 0.55, width, height)
    cv.grain(rng, 0.07, (0.1, 0.5), 0.3)
    return cv.texture()


def _window(cv: Canvas, rng: np.random.Generator, x: float, y: float, w: float, h: float) -> None:
    cv.rect(x - 0.16, y - 0.16, x + w + 0.16, y + h + 0.1, (0.88, 0.87, 0.84))
    cv.rect(x - 0.28, y + h + 0.06, x + w + 0.28, y + h + 0.2, (0.6, 0.58, 0.55))
    glass = np.array([0.13, 0.16, 0.2]) * rng.uniform(0.7, 1.6)
    cv.rect(x, y, x + w, y + h, glass)
    style = rng.integers(0, 5)
    if style == 0:
        drop = rng.uniform(0.2, 0.9) * h
        cv.rect(x, y, x + w, y + drop, np.array([0.72, 0.7, 0.64]) * rng.uniform(0.7, 1.1))
    elif style == 1:
        share = rng.uniform(0.15, 0.35) * w
        cloth = rng.uniform(0.4, 0.85, 3)
        cv.rect(x, y, x + share, y + h, cloth)
        cv.rect(x + w - share, y, x + w, y + h, cloth)
    elif style == 2:
        cv.rect(
            x, y, x + w * rng.uniform(0.3, 1), y + h * rng.uniform(0.3, 0.7), (0.5, 0.6, 0.7), 0.7
        )
    elif style == 3:
        cv.rect(x - 0.45, y - 0.05, x, y + h, np.array([0.3, 0.42, 0.36]) * rng.uniform(0.7, 1.3))
        cv.rect(x + w, y - 0.05, x + w + 0.45, y + h, (0.32, 0.42, 0.36))
    cv.rect(x + w / 2 - 0.05, y, x + w / 2 + 0.05, y + h, (0.85, 0.84, 0.82))
    if rng.random() < 0.6:
        cv.rect(x, y + h * 0.36, x + w, y + h * 0.36 + 0.08, (0.85, 0.84, 0.82))


def shops(rng: np.random.Generator) -> Texture:
    """Ground floor with shop windows, doors and name boards, 16 x 4 m."""
    cv = Canvas((16.0, SHOP_HEIGHT), (512, 128), (0.55, 0.53, 0.5))
    cv.grain(rng, 0.08, (0.4, 3.0), 0.8)
    for i in range(4):
        x = 4.0 * i
        board = rng.uniform(0.15, 0.75, 3)
        cv.rect(x + 0.2, 0.35, x + 3.8, 1.0, board)
        for k in range(rng.integers(5, 10)):
            at = x + 0.6 + 0.32 * k
            cv.rect(at, 0.5, at + rng.uniform(0.1, 0.25), rng.uniform(0.75, 0.88), 1 - board * 0.6)
        door = x + (0.3 if rng.random() < 0.5 else 2.7)
        cv.rect(x + 0.3, 1.2, x + 3.7, 3.3, (0.14, 0.15, 0.17))
        for _ in range(14):
            gx, gy = x + rng.uniform(0.35, 3.2), rng.uniform(1.3, 2.9)
            cv.rect(
                gx,
                gy,
                gx + rng.uniform(0.15, 0.5),
                gy + rng.uniform(0.15, 0.4),
                rng.uniform(0.2, 0.85, 3),
                0.75,
            )
        cv.rect(x + 0.2, 3.3, x + 3.8, 4.0, board * 0.6 + 0.15)
        cv.rect(door, 1.15, door + 1.0, 4.0, rng.uniform(0.15, 0.5, 3))
        cv.rect(door + 0.2, 1.4, door + 0.8, 2.9, (0.22, 0.25, 0.28))
    cv.rect(0, 0, 16, 0.2, (0.8, 0.79, 0.76))
    cv.grain(rng, 0.06, (0.15, 0.6), 0.3)
    return cv.texture()

"""One function for all corruptions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import blur, noise, weather
from .common import make_generator
from .parameters import CORRUPTIONS, get_parameters

DEFAULT_SEED = 42
_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    name: next(getattr(part, name) for part in (weather, blur, noise) if hasattr(part, name))
    for name in CORRUPTIONS
}


def corrupt(
    image: np.ndarray, name: str, severity: int, seed: int = DEFAULT_SEED, image_id: str = ''
) -> np.ndarray:
    """Corrupt an image; returns a new uint8 array (H, W, 3).

    The result depends on the arguments alone, not on what was corrupted before, in which process
    or in which order. The five severities of an image share their random draws (the direction of
    motion, the cut of the frost, the noise of every pixel), so that they differ in strength only.

    Args:
        image: uint8 RGB (H, W, 3); it is not changed.
        name: one of `CORRUPTIONS`.
        severity: 1 (weak) to 5 (strong).
        seed: another seed gives other draws.
        image_id: e.g. of `image_id_from_path`: different images get different draws.

    Raises:
        TypeError: the image is no uint8 array, or the seed no whole number.
        ValueError: unknown name or severity, or another shape.
    """
    parameters = get_parameters(name, severity)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f'corrupt takes uint8 RGB in [0, 255], got {kind}')
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f'corrupt takes an image of shape (H, W, 3), got {image.shape}')
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f'seed must be a whole number, got {seed!r}')
    rng = make_generator('corruption', int(seed), str(image_id), name)
    result = _FUNCTIONS[name](np.ascontiguousarray(image), parameters, rng)
    return np.ascontiguousarray(result)

"""Tileable textures: band-limited noise, a painting canvas and rip-mapped lookups."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

_PAD = 2
_ROW = 256


def noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    metres: tuple[float, float],
    band: tuple[float, float],
    beta: float = 1.0,
) -> np.ndarray:
    """Tileable noise whose wavelengths lie in a band.

    Args:
        rng: Random generator.
        shape: Rows and columns.
        metres: Height and width of the tile in metres.
        band: Shortest and longest wavelength in metres.
        beta: Spectral slope; larger is smoother.

    Returns:
        Zero-mean, unit-deviation float32 array of ``shape``.
    """
    rows, cols = shape
    fy = np.fft.fftfreq(rows)[:, None] * rows / metres[0]
    fx = np.fft.rfftfreq(cols)[None] * cols / metres[1]
    freq = np.hypot(fx, fy)
    freq[0, 0] = 1.0
    gain = freq**-beta / (1 + (freq * band[0]) ** 4) / (1 + (freq * band[1]) ** -4.0)
    gain[0, 0] = 0.0
    out = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return (out / out.std()).astype(np.float32)


class Canvas:
    """A float RGB picture addressed in metres, for painting one texture tile.

    Args:
        metres: Width and height of the tile in metres.
        pixels: Width and height in texels (powers of two).
        colour: Base colour, RGB in [0, 1].
    """

    def __init__(
        self, metres: tuple[float, float], pixels: tuple[int, int], colour: Sequence[float]
    ) -> None:
        self.metres = metres
        self.pixels = pixels
        self.image = np.empty((pixels[1], pixels[0], 3), np.float32)
        self.image[:] = colour

    def grain(
        self,
        rng: np.random.Generator,
        amount: float,
        band: tuple[float, float],
        beta: float = 1.0,
        stretch: tuple[float, float] = (1.0, 1.0),
    ) -> np.ndarray:
        """Multiplies by ``1 + amount * noise`` and returns the noise (rows, columns).

        Args:
            rng: Random generator.
            amount: Relative standard deviation.
            band: Shortest and longest wavelength in metres.
            beta: Spectral slope.
            stretch: Elongation of the blobs along x and y.
        """
        metres = (self.metres[1] / stretch[1], self.metres[0] / stretch[0])
        field = noise(rng, self.image.shape[:2], metres, band, beta)
        self.image *= (1 + amount * np.clip(field, -2.5, 2.5))[..., None]
        return field

    def _texel(self, x: float, y: float) -> tuple[int, int]:
        return (
            round(x / self.metres[0] * self.pixels[0]),
            round(y / self.metres[1] * self.pixels[1]),
        )

    def rect(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Sequence[float],
        alpha: float = 1.0,
    ) -> None:
        """Blends a rectangle given by two corners in metres."""
        (a, b), (c, d) = self._texel(x0, y0), self._texel(x1, y1)
        part = self.image[max(b, 0) : max(d, 0), max(a, 0) : max(c, 0)]
        part += alpha * (np.asarray(colour, np.float32) - part)

    def scale(self, x0: float, y0: float, x1: float, y1: float, factor: float) -> None:
        """Multiplies a rectangle's brightness."""
        (a, b), (c, d) = self._texel(x0, y0), self._texel(x1, y1)
        self.image[max(b, 0) : max(d, 0), max(a, 0) : max(c, 0)] *= factor

    def disc(self, x: float, y: float, radius: float, colour: Sequence[float]) -> None:
        """Paints a disc (an ellipse in texels where the texels are not square)."""
        axes = self._texel(radius, radius)
        cv2.ellipse(
            self.image,
            self._texel(x, y),
            axes,
            0,
            0,
            360,
            tuple(float(c) for c in colour),
            -1,
            cv2.LINE_AA,
        )

    def line(self, points: np.ndarray, colour: Sequence[float], thickness: int = 1) -> None:
        """Draws a polyline through points (n, 2) in metres."""
        texels = np.array([self._texel(*p) for p in points], np.int32)
        cv2.polylines(
            self.image, [texels], False, tuple(float(c) for c in colour), thickness, cv2.LINE_AA
        )

    def texture(self) -> Texture:
        """Returns the finished tile as a :class:`Texture`."""
        return Texture(self.image, self.metres)


def remap_flat(source: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear lookups of ``source`` at flat coordinates (n,); returns (n,) or (n, C)."""
    count = x.size
    rows = max(-(-count // _ROW), 1)
    # OpenCV limits the side length of a remap, so the flat list is folded into rows.
    mx, my = np.zeros((2, rows * _ROW), np.float32)
    mx[:count], my[:count] = x, y
    out = cv2.remap(
        source,
        mx.reshape(rows, _ROW),
        my.reshape(rows, _ROW),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return out.reshape(rows * _ROW, *source.shape[2:])[:count]


class Texture:
    """A tileable RGB tile with an anisotropic (rip-map) pyramid packed in one atlas.

    The two axes are shrunk separately: a road seen at a grazing angle is averaged along the
    driving direction and keeps its detail across.

    Args:
        image: Float RGB tile in [0, 1], shape (H, W, 3), sides powers of two.
        metres: Width and height of the tile in metres.
    """

    def __init__(self, image: np.ndarray, metres: tuple[float, float]) -> None:
        self.metres = metres
        self.height, self.width = image.shape[:2]
        self._wide, self._x = self._levels(self.width)
        self._high, self._y = self._levels(self.height)
        shape = (self._y[-1] + self._high[-1] + _PAD, self._x[-1] + self._wide[-1] + _PAD, 3)
        self.atlas = np.zeros([round(s) for s in shape], np.uint8)
        row = np.clip(image, 0, 1) * 255
        for j, top in enumerate(self._y):
            cell = row
            for i, left in enumerate(self._x):
                self._paste(cell, int(left), int(top))
                if i + 1 < len(self._x):
                    cell = (cell[:, ::2] + cell[:, 1::2]) / 2
            if j + 1 < len(self._y):
                row = (row[::2] + row[1::2]) / 2

    @functools.cached_property
    def _green(self) -> np.ndarray:
        return np.ascontiguousarray(self.atlas[..., 1])

    @staticmethod
    def _levels(size: int) -> tuple[np.ndarray, np.ndarray]:
        sizes = [size]
        while sizes[-1] > 2:
            sizes.append(sizes[-1] // 2)
        starts = _PAD + np.concatenate([[0], np.cumsum(np.array(sizes[:-1]) + 2 * _PAD)])
        return np.array(sizes, np.float32), starts.astype(np.float32)

    def _paste(self, cell: np.ndarray, left: int, top: int) -> None:
        padded = np.pad(cell, ((_PAD, _PAD), (_PAD, _PAD), (0, 0)), mode='wrap')
        rows, cols = padded.shape[:2]
        self.atlas[top - _PAD : top - _PAD + rows, left - _PAD : left - _PAD + cols] = np.rint(
            padded
        ).astype(np.uint8)

    def sample(
        self, u: np.ndarray, v: np.ndarray, foot_u: np.ndarray, foot_v: np.ndarray
    ) -> np.ndarray:
        """Filtered lookups.

        Args:
            u: Horizontal coordinates in tiles, shape (n,).
            v: Vertical coordinates in tiles, shape (n,).
            foot_u: Width of the pixel's footprint in tiles, shape (n,).
            foot_v: Height of the pixel's footprint in tiles, shape (n,).

        Returns:
            RGB in [0, 1], float32, shape (n, 3).
        """
        u = (u - np.floor(u)).astype(np.float32)
        v = (v - np.floor(v)).astype(np.float32)
        i0, i1, wu = self._split(foot_u * self.width, len(self._wide))
        j0, j1, wv = self._split(foot_v * self.height, len(self._high))
        out = np.zeros((u.size, 3), np.float32)
        for i, wi in ((i0, 1 - wu), (i1, wu)):
            x = u * self._wide[i] + (self._x[i] - 0.5)
            for j, wj in ((j0, 1 - wv), (j1, wv)):
                y = v * self._high[j] + (self._y[j] - 0.5)
                out += remap_flat(self.atlas, x, y) * (wi * wj)[:, None]
        return out * np.float32(1 / 255)

    def green(self, u: np.ndarray, v: np.ndarray, foot: float) -> np.ndarray:
        """Green channel in [0, 1], (n,), with one footprint in tiles for all lookups."""
        level = min(max(np.log2(max(foot * self.width, 1.0)), 0.0), len(self._wide) - 1.001)
        u, v, low, out = u - np.floor(u), v - np.floor(v), int(level), 0.0
        for k, weight in ((low, 1 - level + low), (low + 1, level - low)):
            value = remap_flat(
                self._green,
                u * self._wide[k] + (self._x[k] - 0.5),
                v * self._high[k] + (self._y[k] - 0.5),
            )
            out = out + value * np.float32(weight / 255)
        return out

    @staticmethod
    def _split(texels: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        level = np.log2(np.maximum(texels, 1.0)).astype(np.float32)
        level = np.minimum(level, levels - 1)
        low = level.astype(np.int32)
        return low, np.minimum(low + 1, levels - 1), level - low

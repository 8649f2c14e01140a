"""Line charts as inline SVG, coloured by the page's CSS variables. Needs numpy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 520, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 14, 14, 48
LABEL_GAP = 16


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        label: in the legend.
        points: (x, y), finite, x ascending.
        style: 'raw' (thin and pale), 'main', or 'marked' (a dot with a tooltip at every point).
    """

    label: str
    points: Sequence[tuple[float, float]]
    style: str = 'main'


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about `count` steps of 1, 2 or 5."""
    if not high > low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f'{i * step:.12g}') for i in range(first, last + 1)]


def smooth(values: Sequence[float], radius: float | None = None) -> list[float]:
    """Gaussian mean over neighbours, which lags behind nothing; the weights shrink at the ends.

    Args:
        values: (N,).
        radius: standard deviation in points; None: a thirtieth of them, at least 1.
    """
    data = np.asarray(values, np.float64)
    radius = max(1.0, data.size / 30) if radius is None else radius
    reach = np.arange(-math.ceil(3 * radius), math.ceil(3 * radius) + 1)
    weights = np.exp(-0.5 * (reach / radius) ** 2)
    mass = np.convolve(np.ones_like(data), weights)[reach[-1] : reach[-1] + data.size]
    return list(np.convolve(data, weights)[reach[-1] : reach[-1] + data.size] / mass)


def spread_labels(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart until neighbours are `gap` apart, inside [low, high] if they fit.

    Args:
        heights: wanted positions, any order.

    Returns:
        positions in the order given.
    """
    order = np.argsort(heights, kind='stable')
    placed = np.asarray(heights, np.float64)[order]
    for i in range(1, placed.size):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    limit = high
    for i in range(placed.size - 1, -1, -1):
        placed[i] = max(min(placed[i], limit), low + gap * i)
        limit = placed[i] - gap
    result = np.empty_like(placed)
    result[order] = placed
    return result.tolist()


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    references: Mapping[str, float] | None = None,
    x_max: float = 0.0,
) -> str:
    """A chart that scales with the page's width.

    Args:
        series: at least one, each with a point; drawn in order.
        x_label, y_label: of the axes.
        references: label -> height of a dashed horizontal line.
        x_max: the axis reaches at least so far.

    Returns:
        an `<svg>` element. It takes its colours from the CSS of `report_page`.

    Raises:
        ValueError: there is no point to draw.
    """
    references = references or {}
    points = [point for line in series for point in line.points]
    if not points:
        raise ValueError('a chart needs at least one point')
    x_ticks = nice_ticks(0, max(x_max, *(x for x, _ in points)), 6)
    heights = [y for _, y in points] + list(references.values())
    y_ticks = nice_ticks(min(heights), max(heights))

    def to_x(x: float) -> float:
        return LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)

    def to_y(y: float) -> float:
        return (
            HEIGHT
            - BOTTOM
            - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - BOTTOM - TOP)
        )

    parts = _axes(x_ticks, y_ticks, to_x, to_y, x_label, y_label)
    parts += [_polyline(line, to_x, to_y) for line in series]
    parts += _reference_lines(references, to_y)
    name = escape(f'{y_label} over {x_label}', quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        + ''.join(parts)
        + '</svg>'
    )


def _axes(x_ticks, y_ticks, to_x, to_y, x_label, y_label) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick in y_ticks:
        y = to_y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4.5:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x = to_x(tick)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        )
        # the last one would be cut off at the edge
        anchor, x = ('end', right + 8) if tick == x_ticks[-1] else ('middle', x)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="{anchor}">{tick:g}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>'
    )
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(15 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f'{escape(y_label)}</text>'
    )
    return parts


def _polyline(line: Series, to_x, to_y) -> str:
    places = [(to_x(x), to_y(y)) for x, y in line.points]
    path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
    out = f'<polyline class="line {line.style}" points="{path}"/>'
    if line.style == 'marked' or len(places) == 1:
        for (x, y), (step, value) in zip(places, line.points, strict=True):
            tip = escape(f'{line.label} {value:.4f} at {step:g}')
            out += f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5">'
            out += f'<title>{tip}</title></circle>'
    return out


def _reference_lines(references: Mapping[str, float], to_y) -> list[str]:
    """Dashed lines, each with its name above it at the right, names moved apart."""
    right = WIDTH - RIGHT
    lines = [to_y(value) for value in references.values()]
    labels = spread_labels([y - 5 for y in lines], LABEL_GAP, TOP + 8, HEIGHT - BOTTOM - 4)
    parts = [
        f'<line class="reference" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in lines
    ]
    for (name, value), y in zip(references.items(), labels, strict=True):
        text = escape(f'{name} {value:.3f}')
        parts.append(
            f'<text class="halo" x="{right - 2}" y="{y:.1f}" text-anchor="end">{text}</text>'
        )
    return parts

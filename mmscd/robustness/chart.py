"""Pictures of the corruption benchmark: a bar chart (SVG) and a sheet of examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import cv2
import numpy as np

from mmscd.report.svg_chart import nice_ticks
from mmscd.visualization.colormap import colorize_depth
from mmscd.visualization.rendering import add_head, stack_panels

COLORS = ('#2563c9', '#b4541a', '#2e8b57', '#8a4fbf', '#b8860b', '#5b6577')
_WIDTH, _LEFT, _RIGHT, _TOP, _BAR, _GAP = 860, 150, 60, 44, 11, 9
_STYLE = (
    'text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:#3a4352}'
    '.v{font-size:10.5px;fill:#5b6577}.grid{stroke:#e1e5eb}.base{stroke:#1b2230;stroke-width:2}'
)


def bar_chart(
    values: Mapping[str, Mapping[str, float]],
    label: str = 'DEE',
    baseline: Mapping[str, float] | None = None,
    baseline_name: str = 'baseline',
) -> str:
    """Horizontal bars, a group per corruption, a bar per model, a mark for the baseline.

    Args:
        values: model -> corruption -> number, not negative.
        label: of the axis.
        baseline: corruption -> number.
        baseline_name: in the legend.

    Returns:
        a whole SVG document that needs no style sheet.
    """
    names = list(next(iter(values.values())))
    group = len(values) * _BAR + _GAP
    height = _TOP + len(names) * group + 40
    numbers = [row[name] for row in values.values() for name in names]
    numbers += [baseline[name] for name in names if baseline and name in baseline]
    ticks = nice_ticks(0, max(numbers))

    def to_x(number: float) -> float:
        return _LEFT + number / ticks[-1] * (_WIDTH - _LEFT - _RIGHT)

    parts = [f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>']
    parts += _axis(ticks, to_x, _TOP + len(names) * group, label)
    for row, name in enumerate(names):
        top = _TOP + row * group + _GAP / 2
        middle = top + len(values) * _BAR / 2 + 4.5
        parts.append(f'<text x="{_LEFT - 8}" y="{middle:.1f}" text-anchor="end">{name}</text>')
        mark = to_x(baseline[name]) if baseline and name in baseline else None
        parts += _bars([(model, rows[name]) for model, rows in values.items()], top, to_x, mark)
        if mark is not None:
            tip = escape(f'{baseline_name} {baseline[name]:.3f}')
            parts.append(_vertical('base', mark, top - 2, top + len(values) * _BAR + 1, tip))
    parts += _legend(list(values), baseline_name if baseline else None)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _vertical(kind: str, x: float, top: float, bottom: float, tip: str = '') -> str:
    line = f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}">'
    return line + (f'<title>{tip}</title>' if tip else '') + '</line>'


def _axis(
    ticks: Sequence[float], to_x: Callable[[float], float], bottom: float, label: str
) -> list[str]:
    parts = []
    for tick in ticks:
        x = to_x(tick)
        parts.append(_vertical('grid', x, _TOP, bottom))
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{bottom + 34}" text-anchor="middle">{escape(label)}</text>'
    )
    return parts


def _bars(
    numbers: Sequence[tuple[str, float]],
    top: float,
    to_x: Callable[[float], float],
    mark: float | None,
) -> list[str]:
    """Bars of one group with their numbers, which leave room for a mark at x = `mark`."""
    parts = []
    for i, (model, number) in enumerate(numbers):
        y, x = top + i * _BAR, to_x(number)
        text = mark if mark is not None and x - 2 < mark < x + 36 else x
        tip = escape(f'{model} {number:.4f}')
        parts.append(
            f'<rect x="{_LEFT}" y="{y:.1f}" width="{x - _LEFT:.1f}" height="{_BAR - 2}" '
            f'fill="{COLORS[i % len(COLORS)]}"><title>{tip}</title></rect>'
            f'<text class="v" x="{text + 5:.1f}" y="{y + _BAR - 2.5:.1f}">{number:.3f}</text>'
        )
    return parts


def _legend(models: Sequence[str], baseline: str | None) -> list[str]:
    parts, x = [], float(_LEFT)
    for i, name in enumerate(models):
        parts.append(
            f'<rect x="{x:.0f}" y="14" width="12" height="12" fill="{COLORS[i % len(COLORS)]}"/>'
            f'<text x="{x + 18:.0f}" y="24.5">{escape(name)}</text>'
        )
        x += 40 + 7.5 * len(name)
    if baseline:
        parts.append(
            f'<line class="base" x1="{x + 4:.0f}" x2="{x + 4:.0f}" y1="12" y2="28"/>'
            f'<text x="{x + 14:.0f}" y="24.5">{escape(baseline)}</text>'
        )
    return parts


def example_sheet(
    rows: Sequence[tuple[str, np.ndarray, Sequence[tuple[str, np.ndarray]]]],
    panel_width: int = 400,
    columns: int = 2,
) -> np.ndarray:
    """Corrupted images, each beside the depth that the models see in it.

    Args:
        rows: (title, image uint8 RGB (H, W, 3), [(model, inverse depth (h, w))]) of each example.
        panel_width: of one picture, pixels.
        columns: examples side by side.

    Returns:
        uint8 RGB.
    """
    strips = []
    for title, image, predictions in rows:
        size = (panel_width, max(1, round(image.shape[0] * panel_width / image.shape[1])))
        panels = [add_head(cv2.resize(image, size, interpolation=cv2.INTER_AREA), title)]
        for model, inverse in predictions:
            inverse = cv2.resize(np.ascontiguousarray(inverse, np.float32), size)
            panels.append(add_head(colorize_depth(1 / np.maximum(inverse, 1e-9)), model))
        strips.append(stack_panels(panels, 'horizontal'))
    while len(strips) % columns:
        strips.append(np.zeros_like(strips[0]))
    count = len(strips) // columns
    stacks = [stack_panels(strips[i * count : (i + 1) * count], 'vertical') for i in range(columns)]
    return stack_panels(stacks, 'horizontal', gap=10)

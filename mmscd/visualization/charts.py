"""Charts by matplotlib in one style: lines, bars, a coloured table, trajectories.

Every figure is an object of its own: no pyplot, no window, nothing shared with a notebook.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import nonsingular

from .chart_style import CARD, COLORS, DASH, INK, PALE, SOFT, in_style, tip, to_svg
from .colormap import apply_color_table

_Points = Sequence[tuple[float, float]]


@in_style
def line_chart(
    points: _Points,
    label: str,
    smoothed: _Points = (),
    references: Mapping[str, float] | None = None,
    x_max: float = 0.0,
) -> str:
    """An `<svg>` over the iterations for a page, in its colours and as wide as there is room.

    `points` are (iteration, height), finite, at least one; each gets a dot with a tooltip, or is
    thin and pale below the bold `smoothed`. `references`: label -> height of a dashed line.
    """
    if not points:
        raise ValueError('a chart needs at least one point')
    references = references or {}
    heights = [y for _, y in points] + list(references.values())
    figure = Figure((520 / 72, 320 / 72))
    axes = figure.add_subplot(xlabel='iteration', ylabel=label)
    _set_ticks(axes.xaxis, 0, max(x_max, *(x for x, _ in points)), 6)
    low, high = _set_ticks(axes.yaxis, min(heights), max(heights))
    bold: dict[str, Any] = dict(color=COLORS[0], linewidth=2.4, clip_on=False)
    dot: dict[str, Any] = dict(marker='o', markersize=9, markeredgecolor=CARD, markeredgewidth=1.5)
    if smoothed:
        axes.plot(*zip(*points, strict=True), color=PALE, linewidth=1.4, clip_on=False)
    axes.plot(*zip(*(smoothed or points), strict=True), **bold)
    for x, y in () if smoothed else points:
        axes.plot(x, y, gid=tip(f'{label} {y:.4f} at {x:g}'), zorder=3, **bold, **dot)
    # names stand above their lines, 17 of about 255 pixels apart
    wanted = [(y - low) / (high - low) + 0.02 for y in references.values()]
    places = spread_labels(wanted, 17 / 255, 0.02, 0.96)
    for (name, y), place in zip(references.items(), places, strict=True):
        axes.axhline(y, color=DASH, linewidth=1.4, linestyle=(0, (6, 4)))
        style: dict[str, Any] = dict(color=DASH, ha='right', zorder=4, transform=axes.transAxes)
        axes.text(0.995, place, f'{name} {y:.3f}', **style)
    return to_svg(figure, f'{label} over iterations', themed=True)


def spread_labels(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions, in the order given, moved at least `gap` apart; inside [low, high] if they fit."""
    order = np.argsort(heights, kind='stable')
    steps = gap * np.arange(len(order))
    pushed = np.maximum.accumulate(np.asarray(heights, np.float64)[order] - steps)
    result = np.empty(len(order))
    result[order] = np.clip(pushed, low, high - steps[-1:]) + steps
    return result.tolist()


@in_style
def bar_chart(
    values: Mapping[str, Mapping[str, float]],
    label: str = 'DEE',
    baseline: Mapping[str, float] | None = None,
    baseline_name: str = 'baseline',
) -> str:
    """Horizontal bars: a group per corruption, a bar per model, a mark for the baseline.

    `values`: model -> corruption -> number, not negative; `baseline`: corruption -> number. Returns
    a whole SVG document that needs no style sheet.
    """
    names, count = list(next(iter(values.values()))), len(values)
    marks = {name: baseline[name] for name in names if baseline and name in baseline}
    entries = [*values, baseline_name] if marks else [*values]
    columns = max(1, min(len(entries), 800 // (8 * max(map(len, entries)) + 40)))
    height = 80 + 20 * math.ceil(len(entries) / columns) + len(names) * (11 * count + 9)
    figure = Figure((860 / 72, height / 72))
    axes = figure.add_subplot(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.grid(axis='y', visible=False)
    numbers = [row[name] for row in values.values() for name in names]
    pixel = _set_ticks(axes.xaxis, 0, max([*numbers, *marks.values()]))[1] / 690
    thickness = 11 / (11 * count + 9)
    for y, name in enumerate(names):
        mark = marks.get(name, math.inf)
        for i, (model, row) in enumerate(values.items()):
            x, middle = row[name], y + (i - (count - 1) / 2) * thickness
            gid, color = tip(f'{model}, {name}: {x:.4f}'), COLORS[i % len(COLORS)]
            axes.barh(middle, x, thickness * 0.82, color=color, gid=gid)
            # the number leaves room for a mark
            right = mark if -2 * pixel < mark - x < 42 * pixel else x
            axes.text(right + 5 * pixel, middle, f'{x:.3f}', va='center', size=10.5, color=SOFT)
        if name in marks:
            gid = tip(f'{baseline_name}, {name}: {mark:.4f}')
            axes.plot([mark, mark], [y - 0.44, y + 0.44], color=INK, linewidth=2, gid=gid)
    handles = [
        Line2D([], [], linestyle='', marker='s', markersize=12, color=COLORS[i % len(COLORS)])
        for i in range(count)
    ] + [Line2D([], [], linestyle='', marker='|', markersize=12, color=INK, markeredgewidth=2)]
    figure.legend(
        handles[: len(entries)], entries, ncols=columns, handlelength=0.9, loc='outside upper left'
    )
    return to_svg(figure, label)


@in_style
def error_matrix(
    rows: Mapping[str, Mapping[str, Mapping[str, float]]], title: str, max_error: float = 0.5
) -> Figure:
    """abs_rel by class and distance in colours; below it the median signed error and the share.

    `rows` are those of `ErrorTally.summarize`; the last colour means `max_error` and above.
    """
    names, columns = list(rows), list(next(iter(rows.values())))
    cells = [[rows[name][column] for column in columns] for name in names]
    errors = np.array([[c['abs_rel'] if c['n_pixels'] else np.nan for c in line] for line in cells])
    colors = apply_color_table(errors / max_error, 'viridis')
    colors[np.isnan(errors)] = 255
    size = max(6.5, 1.35 * len(columns) + 2.6), max(2.2, 0.6 * len(names) + 1.3)
    figure = Figure(size)
    figure.suptitle(title, x=0.02, ha='left')
    axes = figure.add_subplot()
    axes.imshow(colors, aspect='auto', interpolation='nearest')
    for i, j in np.argwhere(np.isfinite(errors)):
        dark = colors[i, j] @ (0.299, 0.587, 0.114) < 120
        style: dict[str, Any] = dict(color=CARD if dark else INK, ha='center', va='center')
        share, signed = cells[i][j]['share'], cells[i][j]['median_signed']
        small = f'{signed:+.0%}  {f"{share:.0%}" if share >= 0.005 else "<1%"}'
        axes.text(j, i - 0.17, f'{errors[i, j]:.3f}', **style)
        axes.text(j, i + 0.24, small, fontsize=11, **style)
    for axis, texts in ((axes.xaxis, columns), (axes.yaxis, names)):
        axis.set_ticks(range(len(texts)), texts, color=INK)
        axis.set_ticks(np.arange(len(texts) - 1) + 0.5, minor=True)
    axes.xaxis.tick_top()
    axes.grid(visible=False)
    axes.grid(which='minor', color=CARD, linewidth=2)  # between the cells
    axes.set_axisbelow(False)
    axes.tick_params(which='both', length=0)
    axes.spines[:].set_visible(False)
    scale = ScalarMappable(Normalize(0, max_error), 'viridis')
    figure.colorbar(scale, ax=axes, extend='max', label='abs_rel', pad=0.02)
    return figure


@in_style
def trajectories(tracks: Mapping[str, np.ndarray], title: str) -> Figure:
    """Positions from above: forward (z) to the right, to the camera's right (x) downwards.

    `tracks`: name -> (N, 3) metres, the ground truth first. Where they are long and thin the
    sideways axis is stretched, and the title says so.
    """
    width, lowest, highest = 1060, 320, 640
    sideways, forward = np.ptp(np.concatenate(list(tracks.values())), axis=0)[[0, 2]] + 1e-3
    # equal scales where they fit, else the largest whole factor that does
    drawn = max(sideways, 0.0125 * forward) * width / forward
    stretch = max(1, int(lowest / drawn))
    how = f'sideways stretched {stretch}x' if stretch > 1 else 'equal axes'
    figure = Figure((1200 / 72, (np.clip(stretch * drawn, lowest, highest) + 150) / 72))
    axes = figure.add_subplot(title=f'{title} (from above, {how})')
    axes.set(xlabel='forward, m', ylabel='to the right, m')
    for i, (name, track) in enumerate(tracks.items()):
        dots: dict[str, Any] = dict(marker='o', markersize=6, markevery=max(1, len(track) // 25))
        color = COLORS[(i - 1) % len(COLORS)] if i else INK
        axes.plot(track[:, 2], track[:, 0], color=color, linewidth=2, label=name, **dots)
    axes.set_aspect(stretch, adjustable='datalim')
    axes.invert_yaxis()
    figure.legend(loc='outside lower left', ncols=4)
    return figure


@in_style
def curve_panels(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    title: str | None = None,
    log_scale: bool = False,
) -> Figure:
    """A panel for every key, at most three beside one another, with a line for every log.

    `panels`: key -> name of the log -> (steps, values); a value that is NaN leaves a gap.
    """
    columns = min(len(panels), 3)
    lines = math.ceil(len(panels) / columns)
    figure = Figure((6.6 * columns, 4.4 * lines))
    figure.suptitle(title or '')
    for number, (key, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(lines, columns, number, title=key, xlabel='iteration')
        for name, (steps, values) in curves.items():
            axes.plot(steps, values, label=name, marker='o' if len(steps) < 30 else None, ms=4)
        if log_scale:
            axes.set_yscale('log')
        if len(curves) > 1:
            axes.legend()
    return figure


def _set_ticks(axis: Axis, low: float, high: float, count: int = 5) -> tuple[float, float]:
    """Round numbers from at most `low` to at least `high`, where the axis then ends."""
    locator = MaxNLocator(count, steps=[1, 2, 5, 10])
    ticks = locator.tick_values(*nonsingular(low, high, expander=0.1))
    axis.set_ticks(ticks, [f'{float(f"{tick:.12g}"):g}' for tick in ticks])
    set_limits = axis.axes.set_xlim if axis is axis.axes.xaxis else axis.axes.set_ylim
    set_limits(ticks[0], ticks[-1])
    return ticks[0], ticks[-1]

"""Where a depth network errs: by distance and by semantic class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from mmscd.utils.files import write_csv
from mmscd.utils.text_table import text_table

from .functional import hole_rate

# metres; the last one is the cap of the usual protocols
DISTANCES = (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0)
CITYSCAPES_CLASSES = (
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign',
    'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train',
    'motorcycle', 'bicycle',
)  # fmt: skip
# what moves by itself; all of it together is a group of its own
MOVABLE_NAMES = CITYSCAPES_CLASSES[CITYSCAPES_CLASSES.index('person') :]
ALL, MOVABLE, NO_CLASS = 'all', 'movable', 'no class'
# class -> distance -> numbers of `describe_errors`
Groups = Mapping[str, Mapping[str, Mapping[str, float]]]
_FIELDS = ('class', 'distance', 'share', 'abs_rel', 'median_signed', 'hole_rate', 'n_pixels')


class ErrorTally:
    """Relative errors of many images, pooled over their pixels, apart by distance and class.

    The unit is the pixel: an image with more ground truth counts more, unlike in `DepthMetric`.

    Args:
        distances: increasing edges of the bins of true depth in metres; a bin holds its lower edge.
            Pixels outside of all bins are left out.
        classes: names of the labels 0, 1, ...; None: no classes. Pixels with another label are
            'no class'. Those of `MOVABLE_NAMES` are pooled as 'movable' besides.
        max_pixels: of an image, evenly chosen (dense ground truth would fill the memory).
    """

    def __init__(
        self,
        distances: Sequence[float] = DISTANCES,
        classes: Sequence[str] | None = None,
        max_pixels: int = 100_000,
    ) -> None:
        self.distances = np.asarray(distances, np.float64)
        if self.distances.size < 2 or not (np.diff(self.distances) > 0).all():
            raise ValueError(f'distances must be 2 or more increasing edges, got {list(distances)}')
        if max_pixels < 1:
            raise ValueError(f'max_pixels must be at least 1, got {max_pixels}')
        self.classes = None if classes is None else (*classes, NO_CLASS)
        self.max_pixels = max_pixels
        # (signed error, bin, class) of each image
        self._pixels: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @property
    def bins(self) -> list[str]:
        """Names of the bins of distance."""
        edges = [f'{edge:g}' for edge in self.distances]
        return [f'{low}-{high} m' for low, high in zip(edges, edges[1:], strict=False)]

    def add(self, pred: np.ndarray, gt: np.ndarray, labels: np.ndarray | None = None) -> None:
        """One image: depth (N,), aligned and clipped, true depth (N,), positive metres, and int
        labels (N,), which are needed where there are classes."""
        if pred.shape != gt.shape or pred.ndim != 1:
            raise ValueError(f'pred has shape {pred.shape}, gt {gt.shape}: expected (N,) twice')
        if self.classes is None:
            labels = np.zeros(gt.size, np.int64)
        elif labels is None or labels.shape != gt.shape:
            came = None if labels is None else labels.shape
            raise ValueError(f'labels have shape {came}, gt {gt.shape}: classes need one per pixel')
        number = np.searchsorted(self.distances, gt, side='right') - 1
        inside = np.flatnonzero((number >= 0) & (number < len(self.distances) - 1))
        if inside.size > self.max_pixels:
            inside = inside[np.linspace(0, inside.size - 1, self.max_pixels).round().astype(int)]
        signed = (pred[inside] - gt[inside]) / gt[inside]
        kind = labels[inside].astype(np.int64)
        if self.classes is not None:
            last = len(self.classes) - 1
            kind = np.where((kind < 0) | (kind > last), last, kind)
        stored = signed.astype(np.float32), number[inside].astype(np.uint8), kind.astype(np.uint8)
        self._pixels.append(stored)

    def summarize(self) -> Groups:
        """Errors by class (and 'all', 'movable') and distance (and 'all'); see `describe_errors`.
        Classes without pixels are left out."""
        if not sum(signed.size for signed, *_ in self._pixels):
            raise ValueError('no image has ground truth at these distances: nothing to analyse')
        signed, number, kind = (np.concatenate(part) for part in zip(*self._pixels, strict=True))
        groups = {ALL: np.ones(signed.size, bool)}
        labels = {name: [label] for label, name in enumerate(self.classes or ())}
        movable = [label for name, (label,) in labels.items() if name in MOVABLE_NAMES]
        for name, members in {MOVABLE: movable, **labels}.items():
            pixels = np.isin(kind, members)
            if pixels.any():
                groups[name] = pixels
        rows = {}
        for name, chosen in groups.items():
            mine, place = signed[chosen], number[chosen]
            cells = {ALL: mine} | {label: mine[place == i] for i, label in enumerate(self.bins)}
            rows[name] = {key: describe_errors(cell, signed.size) for key, cell in cells.items()}
        return rows


def describe_errors(signed: np.ndarray, total: int) -> dict[str, float]:
    """Numbers of a group of pixels, of their signed errors (pred - gt) / gt (N,): `share` of the
    `total`, `abs_rel` = mean of |signed|, `median_signed` (positive: seen too far away),
    `hole_rate` (see `functional.hole_rate`), `n_pixels`. Without pixels the errors are NaN."""
    some, ones = signed.size > 0, np.ones(signed.size)
    return dict(
        share=signed.size / total,
        abs_rel=float(np.abs(signed).mean(dtype=np.float64)) if some else float('nan'),
        median_signed=float(np.median(signed)) if some else float('nan'),
        hole_rate=hole_rate(1 + signed, ones, ones.astype(bool)),
        n_pixels=int(signed.size),
    )


def make_group_table(groups: Mapping[str, Mapping[str, float]], head: str) -> str:
    """A text table, one row per group with pixels (name -> numbers of `describe_errors`)."""
    lines = [[head, 'share of pixels', 'abs_rel', 'median signed error', 'hole rate', 'pixels']]
    formats = dict(share='.1%', abs_rel='.4f', median_signed='+.1%', hole_rate='.1%', n_pixels='d')
    for name, row in groups.items():
        if row['n_pixels']:
            lines.append([name, *(format(row[key], style) for key, style in formats.items())])
    return text_table(lines)


def write_groups(path: str | os.PathLike, rows: Groups) -> None:
    """Write all cells of `ErrorTally.summarize` as csv; empty fields where there are no pixels."""
    listed = [
        {'class': name, 'distance': label, **cell}
        for name, cells in rows.items()
        for label, cell in cells.items()
    ]
    write_csv(path, _FIELDS, listed)

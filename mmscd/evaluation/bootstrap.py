"""Confidence intervals by the bootstrap over images, and over seeds and images together.

A mean over a few hundred images hangs on which images were taken. The percentile bootstrap (B.
Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics, 1979) draws as many
images again, with replacement, many times, and reports where the middle 95 % of the means lie.
Frames of one drive resemble each other, so the interval says how much the choice of *frames*
matters, and is too narrow for the choice of drives.

Trainings of several seeds judged on the same images vary in two directions. Drawing seeds and
images again together (A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics, 2007)
sees both. A plain bootstrap of three or five seeds is too narrow: its variance is (n - 1) / n of
the right one, and it knows nothing of Student's t (T. Hesterberg, "What teachers should know about
the bootstrap", The American Statistician, 2015). So deviations in a direction of n draws are
widened by sqrt(n / (n - 1)) t / z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .functional import METRIC_NAMES

_CHUNK = 300_000  # entries of the matrix of draws held at once


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Args:
        num_resamples: how often the images are drawn again.
        confidence: share of the resampled means inside the interval, in (0, 1).
        seed: of the draws; the same seed and images give the same interval.
    """

    num_resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        count = self.num_resamples
        if isinstance(count, bool) or int(count) != count or count < 100:
            raise ValueError(f'num_resamples must be a number, at least 100, got {count!r}')
        if not 0 < self.confidence < 1:
            raise ValueError(f'confidence must lie between 0 and 1, got {self.confidence}')

    @property
    def label(self) -> str:
        """For tables, e.g. `95 %`."""
        return f'{100 * self.confidence:g} %'

    def interval(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end, () or (M,), of the interval of the mean of (N,) or (N, M), a row per
        image, with the same draws for all columns. ValueError: there is no image, or a value is not
        finite."""
        from scipy import stats  # takes a second, which trainings need not wait

        values = np.asarray(values, np.float64)
        if values.ndim not in (1, 2) or len(values) == 0:
            raise ValueError(f'expected values of shape (N,) or (N, M), N > 0, got {values.shape}')
        if not np.isfinite(values).all():
            raise ValueError('a value per image is not finite: leave such images out')
        if len(values) == 1:  # has no spread
            return values[0], values[0]
        result = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=self.num_resamples,
            batch=max(1, _CHUNK // len(values)),
            confidence_level=self.confidence,
            method='percentile',
            rng=np.random.default_rng(self.seed),
        )
        return result.confidence_interval.low, result.confidence_interval.high

    def crossed_means(self, values: np.ndarray) -> np.ndarray:
        """Means of resamples of seeds and images together.

        Args:
            values: (S, N, M), by seed, image and column, which all get the same draws. A single
                seed is not drawn again.

        Returns:
            (num_resamples, M); NaN of a column that holds one, and of a single image.
        """
        seeds, images, _ = values.shape
        if images < 2:
            return np.full((self.num_resamples, values.shape[2]), math.nan)
        mean = values.mean((0, 1))
        by_seed, by_image = values.mean(1) - mean, values.mean(0) - mean
        both = values - mean - by_seed[:, None] - by_image  # what neither direction explains
        of_seeds, of_images = self._shares(seeds, 0), self._shares(images, 1)
        drawn = mean + self._widening(seeds) * (of_seeds @ by_seed)
        drawn += self._widening(images) * (of_images @ by_image)
        return drawn + np.einsum('rs,srm->rm', of_seeds, of_images @ both)

    def ends(self, drawn: np.ndarray) -> tuple[float, float]:
        """Ends of the interval of resamples (num_resamples,), outward to the next of them."""
        outside = (1 - self.confidence) / 2
        low = np.quantile(drawn, outside, method='lower')
        return float(low), float(np.quantile(drawn, 1 - outside, method='higher'))

    def _shares(self, count: int, direction: int) -> np.ndarray:
        """How often each of `count` is drawn, as shares (num_resamples, count) of the draws."""
        if count == 1:
            return np.ones((self.num_resamples, 1))
        rng = np.random.default_rng((self.seed, direction))
        return rng.multinomial(count, np.full(count, 1 / count), self.num_resamples) / count

    def _widening(self, count: int) -> float:
        """What makes up for few draws, see above."""
        from scipy import stats

        if count == 1:
            return 1.0
        ends = (1 + self.confidence) / 2
        student = stats.t.ppf(ends, count - 1) / stats.norm.ppf(ends)
        return float(student * math.sqrt(count / (count - 1)))


def build_bootstrap(option: bool | int | Mapping[str, Any] | Bootstrap | None) -> Bootstrap | None:
    """From a metric's option: False or None (none), True, a number of resamples, or `Bootstrap`'s
    fields."""
    if option is None or option is False:
        return None
    if isinstance(option, Bootstrap):
        return option
    if isinstance(option, int):
        return Bootstrap() if option is True else Bootstrap(option)
    try:
        return Bootstrap(**option)
    except TypeError:
        raise ValueError(
            'bootstrap takes True, a number of resamples, or a dict with num_resamples, '
            f'confidence and seed, got {option!r}'
        ) from None


def metric_intervals(
    results: Sequence[Mapping[str, float] | None], bootstrap: Bootstrap
) -> dict[str, float]:
    """`<metric>_low` and `<metric>_high` of the mean of each of `METRIC_NAMES`, of the results of
    `protocols.evaluate_pixels`, None where an image has no valid ground truth."""
    matrix = metric_matrix(results)
    if np.isnan(matrix).any():  # no mean, no interval
        return {f'{name}_{end}': math.nan for name in METRIC_NAMES for end in ('low', 'high')}
    low, high = bootstrap.interval(matrix)
    return {
        f'{name}_{end}': float(value[column])
        for column, name in enumerate(METRIC_NAMES)
        for end, value in (('low', low), ('high', high))
    }


def metric_matrix(results: Sequence[Mapping[str, float] | None]) -> np.ndarray:
    """Metrics float64 (N, 7), a column per `METRIC_NAMES`, of the images that are not None."""
    counted = [result for result in results if result is not None]
    return np.array([[result[name] for name in METRIC_NAMES] for result in counted])

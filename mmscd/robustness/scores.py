"""Numbers of the corruption benchmark: DEE, CE, mCE, RR, mRR; NaN of what was not computed.

Definitions of KITTI-C (Kong et al., "RoboDepth", NeurIPS 2023): the depth estimation error
DEE = (abs_rel - delta1 + 1) / 2; of a corruption, its mean over the severities; the corruption
error CE relates it to a baseline's, the resilience rate RR to the model's own clean images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.evaluation.label_files import OBJECTS

CLEAN = 'clean'
PUBLISHED_BASELINE = 'monodepth2-published'

# Monodepth2, ResNet-18, mono, 640x192, 697 images, as RoboDepth publishes it
MONODEPTH2_DEE: dict[str, float] = dict(
    clean=0.119,
    brightness=0.130, dark=0.280, fog=0.155, frost=0.277, snow=0.511, contrast=0.187,
    defocus_blur=0.244, glass_blur=0.242, motion_blur=0.216, zoom_blur=0.201,
    elastic_transform=0.129, color_quant=0.193,
    gaussian_noise=0.384, impulse_noise=0.389, shot_noise=0.340, iso_noise=0.388, pixelate=0.145,
    jpeg_compression=0.196,
)  # fmt: skip

# (corruption, severity) -> metrics, at least abs_rel and delta1; clean images are ('clean', 0)
Passes = Mapping[tuple[str, int], Mapping[str, float]]
# corruption (and 'clean') -> abs_rel, delta1, dee, as `average_severities` gives them
Rows = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ImageErrors:
    """Errors of one model, image by image (N of them)."""

    images: Sequence[str]
    abs_rel: np.ndarray  # (N,), of the clean images
    dee: Mapping[str, np.ndarray]  # corruption and `clean` -> (N,), mean over the severities


def depth_estimation_error(abs_rel: float, delta1: float) -> float:
    """DEE: 0 is perfect.

    Args:
        abs_rel: mean absolute relative error.
        delta1: share of pixels within a factor of 1.25, in [0, 1].

    Raises:
        ValueError: `delta1` is no share.
    """
    if delta1 < 0 or delta1 > 1:
        raise ValueError(f'delta1 must be a share in [0, 1], got {delta1}; divide per cent by 100')
    return (abs_rel - delta1 + 1) / 2


def corruption_errors(dee: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """CE of every corruption, per cent of the baseline's DEE: lower is better, 100 is equal.

    Args:
        dee: corruption -> mean DEE; `clean` may be there and is left out.
        baseline: the same of the baseline, with at least these corruptions.

    Raises:
        KeyError: the baseline lacks a corruption.
        ValueError: a DEE of the baseline is not positive.
    """
    names = [name for name in dee if name != CLEAN]
    for name in names:
        if name not in baseline:
            raise KeyError(f'the baseline has no DEE of {name}; it has {sorted(baseline)}')
        if baseline[name] <= 0:
            raise ValueError(f"the baseline's DEE of {name} must be positive, got {baseline[name]}")
    return {name: 100 * dee[name] / baseline[name] for name in names}


def resilience_rates(dee: Mapping[str, float]) -> dict[str, float]:
    """RR of every corruption, per cent of the clean score 1 - DEE: higher is better.

    Args:
        dee: `clean` and every corruption -> mean DEE.

    Raises:
        ValueError: the clean DEE is 1 or worse, so that there is no score to lose.
    """
    if dee[CLEAN] >= 1:
        raise ValueError(f'the DEE on clean images must be below 1, got {dee[CLEAN]}')
    score = 1 - dee[CLEAN]
    return {name: 100 * (1 - value) / score for name, value in dee.items() if name != CLEAN}


def mean_of(values: Iterable[float]) -> float:
    """Arithmetic mean; NaN of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def average_severities(
    passes: Passes, names: Sequence[str] = CORRUPTIONS, severities: Sequence[int] = SEVERITIES
) -> dict[str, dict[str, float]]:
    """Means over the severities, clean images first; KeyError where a pass is missing."""
    wanted = {CLEAN: [(CLEAN, 0)]} | {name: [(name, s) for s in severities] for name in names}
    absent = [key for keys in wanted.values() for key in keys if key not in passes]
    if absent:
        raise KeyError(f'{len(absent)} passes are missing, the first is {absent[0]}')
    rows = {}
    for name, keys in wanted.items():
        row = {key: mean_of(passes[pass_][key] for pass_ in keys) for key in ('abs_rel', 'delta1')}
        rows[name] = row | dict(dee=depth_estimation_error(**row))
        if all(OBJECTS in passes[pass_] for pass_ in keys):
            rows[name][OBJECTS] = mean_of(passes[pass_][OBJECTS] for pass_ in keys)
    return rows


def score_robustness(
    rows: Mapping[str, dict[str, float]], baseline: Mapping[str, float] | None
) -> dict[str, float]:
    """Add `rr` and, where there is a baseline, `ce` to the rows of `average_severities`.

    Args:
        rows: changed in place.
        baseline: corruption -> DEE; None: no CE.

    Returns:
        clean_dee, mean_dee (over corruptions), mce (NaN without a baseline), mrr, n_corruptions.
    """
    dee = {name: row['dee'] for name, row in rows.items()}
    rates = resilience_rates(dee)
    errors = corruption_errors(dee, baseline) if baseline is not None else {}
    for name, rate in rates.items():
        rows[name].update(rr=rate, ce=errors.get(name, math.nan))
    return dict(
        clean_dee=dee[CLEAN],
        mean_dee=mean_of(dee[name] for name in rates),
        mce=mean_of(errors.values()),
        mrr=mean_of(rates.values()),
        n_corruptions=len(rates),
    )

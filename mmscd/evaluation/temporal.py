"""Temporal consistency: does depth of neighbouring frames describe one and the same scene?

Each pixel of a frame is lifted by its predicted depth D_t, moved by the camera motion and projected
into the next frame, where it has the depth z. There the network predicted D_{t+1}, read at that
place as inverse depth, bilinearly (exact on planes). Agreement is judged by

- `inconsistency` = mean |z - D| / (z + D), in [0, 1): the depth inconsistency that J.-W. Bian et
  al. train against ("Unsupervised scale-consistent depth and ego-motion learning from monocular
  video", NeurIPS 2019);
- `agreement` = share of pixels with max(z / D, D / z) < 1.25;
- `ratio` = median D / z of a frame pair: 1 where both frames have the same scale. `flicker` is the
  root mean square of its logarithm over a video: 0.05 means that scale jumps by 5 % per frame.

Pixels that leave the image or get behind the camera do not count. Occluded ones and moving things
do: they disagree with perfect depth too, and set a floor that all predictors share. These numbers
never stand alone: depth that is far away everywhere agrees with itself. Depth of a monocular
network comes at an unknown scale, and known motion in metres; one factor for the whole video
(`video_scale`) brings them together. A factor per frame would hide flicker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mmscd.geometry import proj

from .functional import is_computed

PAIR_METRICS = ('inconsistency', 'agreement', 'ratio')


def video_scale(ratios: Sequence[float] | np.ndarray) -> float:
    """One factor for a video: the median of true / predicted of its frames. Those that are not
    finite and positive do not count; ValueError where none does."""
    values = np.asarray(ratios, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if values.size == 0:
        raise ValueError(
            f'none of {len(ratios)} ratios of true and predicted scale is finite and positive: '
            'does the camera move, and is there ground truth?'
        )
    return float(np.median(values))


def motion_ratios(gt_motions: np.ndarray, pred_motions: np.ndarray) -> np.ndarray:
    """Length of the true over that of the predicted translation, (N,), of motions (N, 4, 4).

    Depth and motion of a monocular network share their scale, so these are the ratios for
    `video_scale` where there is no true depth.
    """
    truth = np.linalg.norm(np.asarray(gt_motions, np.float64)[:, :3, 3], axis=1)
    pred = np.linalg.norm(np.asarray(pred_motions, np.float64)[:, :3, 3], axis=1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return truth / pred


def reproject_depth(
    depth: np.ndarray, next_inv_depth: np.ndarray, T_next_frame: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depths z and D, float64 (N,), at the same points of the next frame, derived from either
    frame.

    They are of the pixels that fall inside the next image, before the camera, with positive finite
    depths. Maps (H, W) of depth and of the next 1 / depth; T (4, 4), x_next = T x_frame, in the
    unit of the depths; K (3, 3), pixels of the maps.
    """
    maps = [torch.from_numpy(np.array(m, np.float64))[None, None] for m in (depth, next_inv_depth)]
    T, K = (torch.from_numpy(np.array(m, np.float64))[None] for m in (T_next_frame, K))
    warped, z, inside = proj(maps[1], maps[0], T, K, torch.linalg.inv(K))
    z, inverse = z[inside].numpy(), warped[inside].numpy()
    usable = (z > 0) & (inverse > 0) & np.isfinite(z) & np.isfinite(inverse)
    return z[usable], 1 / inverse[usable]


def pair_consistency(
    depth: np.ndarray, next_inv_depth: np.ndarray, T_next_frame: np.ndarray, K: np.ndarray
) -> dict[str, float]:
    """Agreement of two neighbouring frames, see `reproject_depth`: the `PAIR_METRICS` and
    `coverage`, the share of pixels that count; NaN besides it where none does."""
    if np.shape(depth) != np.shape(next_inv_depth) or np.ndim(depth) != 2:
        raise ValueError(
            f'expected two maps (H, W), got {np.shape(depth)} and {np.shape(next_inv_depth)}'
        )
    if not np.isfinite(T_next_frame).all():
        raise ValueError('the camera motion is not finite')
    z, predicted = reproject_depth(depth, next_inv_depth, T_next_frame, K)
    if z.size == 0:
        return dict.fromkeys(PAIR_METRICS, float('nan')) | dict(coverage=0.0)
    ratio = predicted / z
    return dict(
        inconsistency=float(np.mean(np.abs(z - predicted) / (z + predicted))),
        agreement=float(np.mean(np.maximum(ratio, 1 / ratio) < 1.25)),
        ratio=float(np.median(ratio)),
        coverage=z.size / np.size(depth),
    )


def video_consistency(
    inv_depths: Sequence[np.ndarray], motions: np.ndarray, K: np.ndarray, scale: float = 1.0
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Temporal consistency of N maps (H, W) of 1 / depth, moved by T_next_frame (N - 1, 4, 4).

    `K` is in pixels of the maps; `scale` brings predicted depth to the unit of the motions, see
    `video_scale`. Returns `inconsistency`, `agreement`, `coverage` (means over pairs), `flicker`
    and `n_pairs` (those with pixels that count, at least one), and the numbers of every pair.
    """
    if len(inv_depths) < 2 or len(motions) != len(inv_depths) - 1:
        raise ValueError(
            f'{len(inv_depths)} frames (at least 2) need one motion less, got {len(motions)}'
        )
    if not 0 < scale < np.inf:
        raise ValueError(f'scale must be a positive number, got {scale}')
    if broken := [i for i, inverse in enumerate(inv_depths) if not is_computed(inverse)]:
        count = (
            f'{len(broken)} of {len(inv_depths)} frames is not finite (first: number {broken[0]}'
        )
        raise ValueError(f'the predicted depth of {count}): there is nothing to compare')
    pairs = []
    for i, motion in enumerate(motions):
        with np.errstate(divide='ignore'):
            depth = scale / np.asarray(inv_depths[i], np.float64)
        pairs.append(pair_consistency(depth, np.asarray(inv_depths[i + 1]) / scale, motion, K))
    counted = [pair for pair in pairs if pair['coverage'] > 0]
    if not counted:
        raise ValueError('no pixel of any frame falls into the next one: check poses and K')
    summary = {
        key: float(np.mean([pair[key] for pair in counted]))
        for key in ('inconsistency', 'agreement', 'coverage')
    }
    logs = np.log([pair['ratio'] for pair in counted])
    summary['flicker'] = float(np.sqrt(np.mean(logs * logs)))
    summary['n_pairs'] = len(counted)
    return summary, pairs

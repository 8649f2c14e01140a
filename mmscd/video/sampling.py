"""What a lint looks at: a sample of the frames, and long tracks where the view moves most."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmscd.datasets.formats.images import read_image

from .focal_check import PairPoints
from .motion import WIDTH, PairMotion, follow_points, measure_motion, small_grey, track_points

Sequences = Sequence[Sequence[str | os.PathLike]]
_WINDOWS, _WINDOW_FRAMES, _WINDOW_WIDTH = 6, 8, 640


class VideoStatistics(NamedTuple):
    """Of sampled frames: `motions` between neighbours, `wobble`: how much their shear changes from
    one pair to the next, `brightness` (mean grey values), `unchanging`: share of textured pixels
    that stay the same while the view moves."""

    motions: list[PairMotion]
    wobble: np.ndarray
    brightness: np.ndarray
    unchanging: float


def choose_pairs(lengths: Sequence[int], pairs: int) -> list[tuple[int, int]]:
    """(sequence, frame) of at most `pairs` frames that have a successor, evenly over all
    sequences of these lengths."""
    places = [(s, i) for s, length in enumerate(lengths) for i in range(length - 1)]
    steps = np.linspace(0, len(places) - 1, min(pairs, len(places))).round().astype(int)
    return [places[i] for i in np.unique(steps)]


def gather(sequences: Sequences, chosen: Sequence[tuple[int, int]]) -> VideoStatistics:
    """Statistics of the chosen frames and their successors."""
    motions, wobble, brightness, thumbnails = [], [], [], []
    for sequence, frame in chosen:
        paths = sequences[sequence][frame : frame + 3]
        images = [_read_small(path, WIDTH) for path in paths]
        if len({image.shape for image in images}) > 1:
            raise ValueError(f'{paths[0]} and its successors differ in size')
        steps = [measure_motion(a, b) for a, b in zip(images, images[1:], strict=False)]
        motions.append(steps[0])
        wobble += [abs(b.shear - a.shear) for a, b in zip(steps, steps[1:], strict=False)]
        brightness.append(images[0].mean())
        thumbnails.append(cv2.resize(images[0], (160, 90), interpolation=cv2.INTER_AREA))
    return VideoStatistics(motions, np.array(wobble), np.array(brightness), _unchanging(thumbnails))


def turning_points(
    sequences: Sequences,
    chosen: Sequence[tuple[int, int]],
    motions: Sequence[PairMotion],
    size: tuple[int, int],
) -> list[PairPoints]:
    """Points tracked over several frames where the view moves most, in pixels of the frames."""
    order = np.argsort([-np.nan_to_num(m.shift) if m.tracked > 0.3 else 0 for m in motions])
    tracks = []
    for index in order[:_WINDOWS]:
        sequence, frame = chosen[index]
        paths = sequences[sequence][frame : frame + _WINDOW_FRAMES + 1]
        images = [_read_small(path, _WINDOW_WIDTH) for path in paths]
        scale = size[0] / images[0].shape[1]
        a, b, _ = track_points(images[0], images[1], 400, 8.0)
        for previous, image in zip(images[1:], images[2:], strict=False):
            if len(b) < 60:  # what is left must still determine a motion
                break
            b, kept = follow_points(previous, image, b, 0.5)
            a = a[kept]
        tracks.append(((a + 0.5) * scale - 0.5, (b + 0.5) * scale - 0.5))
    return tracks


def _unchanging(thumbnails: Sequence[np.ndarray]) -> float:
    stack = np.stack(thumbnails).astype(np.float32)
    # nothing differs in a video that stands still: that is another finding
    if len(stack) < 8 or stack.std(0).mean() < 4:
        return 0.0
    textured = np.abs(cv2.Laplacian(stack.mean(0), cv2.CV_32F)) > 12
    return float((textured & (stack.std(0) < 6)).mean())


def _read_small(path: str | os.PathLike, width: int) -> np.ndarray:
    return small_grey(read_image(path), width)

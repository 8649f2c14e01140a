"""What is wrong with a video as training data, told before hours are spent on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmscd.datasets.formats.images import decode_rgb, read_bytes

from .focal_check import check_focal_length
from .motion import PairMotion, measure_motion, sample_pairs, small_grey, track_points

# A still camera moves points by noise only; on KITTI's drives (10 frames a second) the median
# lies at 0.9 to 1.3 % of the width.
STATIC, FAST = 0.001, 0.08
DARK = 45  # mean grey value; night on lit streets lies around it
ROLL = 1.5  # degrees between neighbours; 95 % of the pairs of KITTI stay below 0.5
# share of the width; KITTI stays at 0.003, rows that slide at random by 1 % of it give 0.01
WOBBLE = 0.007
FEW = 300
_FOCAL_WINDOWS, _FOCAL_FRAMES, _FOCAL_WIDTH = 6, 8, 640


class Finding(NamedTuple):
    """`code`: one word; `serious`: training will suffer; `message`: what was found, what to do."""

    code: str
    serious: bool
    message: str


class VideoStatistics(NamedTuple):
    """Of sampled frames: `motions` between neighbours, `wobble`: how much their shear changes from
    one pair to the next, `brightness` (mean grey values), `unchanging`: share of textured pixels
    that stay the same while the view moves."""

    motions: list[PairMotion]
    wobble: np.ndarray
    brightness: np.ndarray
    unchanging: float


def lint_video(
    sequences: Sequence[Sequence[str | os.PathLike]],
    K: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    pairs: int = 80,
) -> list[Finding]:
    """Look at a sample of the frames.

    Args:
        sequences: paths of the frames in order, one list per sequence.
        K: (3, 3) intrinsics of these frames, pixels; None: they are not judged.
        size: (width, height) that K holds for; needed with K.
        pairs: neighbouring frames that are looked at, over all sequences.

    Returns:
        what was found, serious things first; empty where all is well.

    Raises:
        ValueError: there is no pair of frames.
        OSError: a frame cannot be read.
    """
    chosen = choose_pairs([len(s) for s in sequences], pairs)
    if not chosen:
        raise ValueError(f'{len(sequences)} sequences without two frames: nothing to look at')
    statistics = gather(sequences, chosen)
    findings = judge_motion(statistics) + judge_pictures(statistics)
    total = sum(max(0, len(s) - 2) for s in sequences)
    if total < FEW:
        message = f'only {total} training samples; some thousands are usual'
        findings.append(Finding('few', False, message))
    if K is not None:
        findings += judge_intrinsics(K, size)
        points = turning_points(sequences, chosen, statistics.motions, size)
        findings.append(judge_focal_length(points, K, size))
    return sorted(findings, key=lambda finding: not finding.serious)


def choose_pairs(lengths: Sequence[int], pairs: int) -> list[tuple[int, int]]:
    """(sequence, frame) of frames that have a successor, evenly over all sequences."""
    places = [(s, i) for s, length in enumerate(lengths) for i in range(length - 1)]
    return [places[i] for i, _ in sample_pairs(len(places) + 1, pairs)]


def gather(
    sequences: Sequence[Sequence[str | os.PathLike]], chosen: Sequence[tuple[int, int]]
) -> VideoStatistics:
    """Statistics of the chosen frames and their successors."""
    motions, wobble, brightness, thumbnails = [], [], [], []
    for sequence, frame in chosen:
        paths = sequences[sequence][frame : frame + 3]
        images = [small_grey(_read(path)) for path in paths]
        if len({image.shape for image in images}) > 1:
            raise ValueError(f'{paths[0]} and its successors differ in size')
        steps = [measure_motion(a, b) for a, b in zip(images, images[1:], strict=False)]
        motions.append(steps[0])
        wobble += [abs(b.shear - a.shear) for a, b in zip(steps, steps[1:], strict=False)]
        brightness.append(images[0].mean())
        thumbnails.append(cv2.resize(images[0], (160, 90), interpolation=cv2.INTER_AREA))
    return VideoStatistics(motions, np.array(wobble), np.array(brightness), _unchanging(thumbnails))


def judge_motion(statistics: VideoStatistics) -> list[Finding]:
    """Static frames, frames too far apart, cuts, a rolling camera, a rolling shutter."""
    shift, roll, _, tracked = np.array(statistics.motions).T
    count, found = len(shift), []
    torn = tracked < 0.1
    if torn.any():
        found.append(
            Finding('cuts', True, f'{torn.sum()} of {count} neighbouring frames show different '
                    'scenes: split the video at its cuts, a folder per take')
        )  # fmt: skip
    static = np.nan_to_num(shift, nan=1.0) < STATIC
    if static.mean() > 0.05:
        found.append(
            Finding('static', True, f'{static.mean():.0%} of the neighbouring frames hardly differ '
                    '(the camera stands): they teach nothing and pull the depth of everything '
                    'away; drop them')
        )  # fmt: skip
    moving = shift[~static & ~torn & ~np.isnan(shift)]
    if len(moving) and np.median(moving) > FAST:
        found.append(
            Finding('fast', True, f'points move by {np.median(moving):.0%} of the width from frame '
                    'to frame (median): take a smaller stride')
        )  # fmt: skip
    # one frame in twenty may be a pothole
    largest = _percentile(np.abs(roll[~torn]), 95)
    if largest > ROLL:
        found.append(
            Finding('roll', True, f'the camera rolls by {largest:.1f} degrees from frame to frame '
                    '(95th percentile): fix it better, or stabilise the video and crop it')
        )  # fmt: skip
    wobble = _percentile(statistics.wobble, 50)
    if wobble > WOBBLE:
        found.append(
            Finding('rolling_shutter', True, f'rows slide to and fro by {wobble:.1%} of the width '
                    'from frame to frame (median): a rolling shutter on a shaking mount; such '
                    'views are no pinhole pictures. Fix the camera better')
        )  # fmt: skip
    return found


def judge_pictures(statistics: VideoStatistics) -> list[Finding]:
    """Darkness, and parts that never change."""
    found = []
    dark = (statistics.brightness < DARK).mean()
    if dark > 0.1:
        found.append(
            Finding('dark', True, f'{dark:.0%} of the frames are dark (mean grey value below '
                    f'{DARK} of 255): noise is hard to match; train on daylight and test on these')
        )  # fmt: skip
    if statistics.unchanging > 0.03:
        found.append(
            Finding('overlay', True, f'{statistics.unchanging:.0%} of the textured pixels never '
                    'change: bonnet, time stamp or dirt on the lens; crop them away')
        )  # fmt: skip
    return found


def judge_intrinsics(K: np.ndarray, size: tuple[int, int]) -> list[Finding]:
    """What intrinsics of real cameras do not look like."""
    width, height = size
    found = []
    angle = 2 * np.degrees(np.arctan(width / 2 / K[0, 0]))
    if not 20 < angle < 130:
        found.append(
            Finding('field_of_view', True, f'fx = {K[0, 0]:.0f} at a width of {width} means a '
                    f'horizontal field of view of {angle:.0f} degrees; are fx and width of the '
                    'same image?')
        )  # fmt: skip
    if not 0.95 < K[0, 0] / K[1, 1] < 1.05:
        found.append(
            Finding('aspect', True, f'fx = {K[0, 0]:.0f} and fy = {K[1, 1]:.0f} differ: square '
                    'pixels have equal ones; was the image squeezed?')
        )  # fmt: skip
    off = max(abs(K[0, 2] / (width - 1) - 0.5), abs(K[1, 2] / (height - 1) - 0.5))
    if off > 0.15:
        found.append(
            Finding('centre', False, f'the principal point ({K[0, 2]:.0f}, {K[1, 2]:.0f}) lies far '
                    f'from the middle of {width}x{height}: right only if the image was cropped')
        )  # fmt: skip
    return found


def judge_focal_length(
    points: Sequence[tuple[np.ndarray, np.ndarray]], K: np.ndarray, size: tuple[int, int]
) -> Finding:
    """Whether the given focal length fits, by `check_focal_length`."""
    check = check_focal_length(points, K)
    angle = 2 * np.degrees(np.arctan(size[0] / 2 / (K[0, 0] * check.factor)))
    if check.verdict == 'wrong':
        message = (
            f'fx = {K[0, 0]:.0f} does not fit the video; about {K[0, 0] * check.factor:.0f} '
            f'({angle:.0f} degrees across) would: was it calibrated at another size, zoom or '
            'stabilisation mode, or is the lens distorted?'
        )
        return Finding('focal', True, message)
    if check.verdict == 'unknown':
        reason = (
            'too few points at different depths can be followed over several frames'
            if np.isnan(check.turn)
            else f'the camera turns by {check.turn:.0f} degrees at most in the views looked at, '
            'and straight driving fits any'
        )
        message = (
            f'the focal length could not be checked: {reason}; look at a drive with turns, or '
            'calibrate'
        )
        return Finding('focal_unknown', False, message)
    return Finding('focal_fits', False, f'fx = {K[0, 0]:.0f} fits the turns of the video')


def turning_points(
    sequences: Sequence[Sequence[str | os.PathLike]],
    chosen: Sequence[tuple[int, int]],
    motions: Sequence[PairMotion],
    size: tuple[int, int],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points tracked over several frames where the view moves most, in pixels of the frames."""
    order = np.argsort([-np.nan_to_num(m.shift) if m.tracked > 0.3 else 0 for m in motions])
    tracks = []
    for index in order[:_FOCAL_WINDOWS]:
        sequence, frame = chosen[index]
        paths = sequences[sequence][frame : frame + _FOCAL_FRAMES + 1]
        images = [small_grey(_read(path), _FOCAL_WIDTH) for path in paths]
        scale = size[0] / images[0].shape[1]
        a, b, _ = track_points(images[0], images[1], 400, 8.0)
        for previous, image in zip(images[1:], images[2:], strict=False):
            if len(b) < 60:  # what is left must still determine a motion
                break
            b, kept = _track_on(previous, image, b)
            a = a[kept]
        tracks.append(((a + 0.5) * scale - 0.5, (b + 0.5) * scale - 0.5))
    return tracks


def _track_on(
    first: np.ndarray, second: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points went that could be followed, and which these are."""
    start = points.astype(np.float32)[:, None]
    found, forth, _ = cv2.calcOpticalFlowPyrLK(first, second, start, None)
    again, back, _ = cv2.calcOpticalFlowPyrLK(second, first, found, None)
    kept = (forth[:, 0] == 1) & (back[:, 0] == 1)
    kept &= np.linalg.norm(again - start, axis=2)[:, 0] < 0.5
    return found[kept, 0].astype(float), kept


def _unchanging(thumbnails: Sequence[np.ndarray]) -> float:
    stack = np.stack(thumbnails).astype(np.float32)
    if len(stack) < 8:
        return 0.0
    mean = stack.mean(0)
    textured = np.abs(cv2.Laplacian(mean, cv2.CV_32F)) > 12
    # nothing differs in a video that stands still: that is another finding
    if stack.std(0).mean() < 4:
        return 0.0
    return float((textured & (stack.std(0) < 6)).mean())


def _percentile(values: np.ndarray, q: float) -> float:
    values = values[~np.isnan(values)]
    return float(np.percentile(values, q)) if len(values) else 0.0


def _read(path: str | os.PathLike) -> np.ndarray:
    return cv2.cvtColor(decode_rgb(read_bytes(path), path)[0], cv2.COLOR_RGB2GRAY)

"""What is wrong with a video as training data, told before hours are spent on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmscd.datasets.folder import FolderDepthDataset

from .focal_check import PairPoints, check_focal_length
from .motion import MIN_TRACKED, STATIC
from .sampling import Sequences, VideoStatistics, choose_pairs, gather, turning_points

_DARK = 45  # mean grey value; night on lit streets lies around it
# what is said of a value above this limit: a share of frames, pixels or the width, or as it says
_LIMITS = {
    'cuts': (
        0,
        '{} of the neighbouring frames looked at show different scenes: split the video at its '
        'cuts, a folder per take',
    ),
    'static': (
        0.05,
        '{:.0%} of the neighbouring frames hardly differ (the camera stands): they teach nothing '
        'and pull the depth of everything away; drop them',
    ),
    'fast': (
        0.08,
        'points move by {:.0%} of the width from frame to frame (median): take a smaller stride',
    ),
    'roll': (
        1.5,  # 95 % of the pairs of KITTI stay below 0.5
        'the camera rolls by {:.1f} degrees from frame to frame (95th percentile): fix it better, '
        'or stabilise the video and crop it',
    ),
    'rolling_shutter': (
        0.007,  # KITTI stays at 0.003, rows that slide at random by 1 % of the width give 0.01
        'rows slide to and fro by {:.1%} of the width from frame to frame (median): a rolling '
        'shutter on a shaking mount, so views are no pinhole pictures. Fix the camera better',
    ),
    'dark': (
        0.1,
        f'{{:.0%}} of the frames are dark (mean grey value below {_DARK} of 255): noise is hard to '
        'match; train on daylight and test on these',
    ),
    'overlay': (
        0.03,
        '{:.0%} of the textured pixels never change: bonnet, time stamp or dirt on the lens; crop '
        'them away',
    ),
}
_FEW = 300
_HARMLESS = ('few', 'centre', 'focal_unknown', 'focal_fits')


class Finding(NamedTuple):
    """`code`: one word; `message`: what was found, what to do."""

    code: str
    message: str

    @property
    def serious(self) -> bool:
        """Training will suffer."""
        return self.code not in _HARMLESS


def lint_folder(
    root: str | os.PathLike, intrinsics: str | os.PathLike, stride: int = 1, pairs: int = 80
) -> tuple[str, list[Finding]]:
    """Look at what `FolderDepthDataset` would train on with these `root`, `intrinsics` and
    `stride`: how many frames there are, in words, and what `lint_video` finds. ValueError, OSError:
    there are no frames, or frames and camera do not fit."""
    dataset = FolderDepthDataset(
        str(root), str(intrinsics), frame_ids=(0,), stride=stride, serialize_data=False
    )
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    groups = itertools.groupby(infos, key=lambda info: info['sequence'])
    sequences = [[info['img_path'] for info in group] for _, group in groups]
    width, height = infos[0]['camera_size']
    count = f'{len(infos)} frames of {width}x{height} in {len(sequences)} sequence(s)'
    return count, lint_video(sequences, np.asarray(infos[0]['K_ori']), (width, height), pairs)


def lint_video(
    sequences: Sequences,
    K: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    pairs: int = 80,
) -> list[Finding]:
    """Look at `pairs` neighbouring frames out of all sequences (paths in order, one list per
    sequence).

    Returns what was found, serious things first. `K`: (3, 3) pixels of frames of `size` (width,
    height); None: it is not judged. ValueError: there is no pair of frames; OSError: a frame cannot
    be read."""
    chosen = choose_pairs([len(s) for s in sequences], pairs)
    if not chosen:
        raise ValueError(f'{len(sequences)} sequences without two frames: nothing to look at')
    statistics = gather(sequences, chosen)
    findings = judge_frames(statistics)
    total = sum(max(0, len(s) - 2) for s in sequences)
    if total < _FEW:
        findings.append(Finding('few', f'only {total} training samples; some thousands are usual'))
    if K is not None:
        if size is None:
            raise ValueError('intrinsics need the size of the images that they hold for')
        findings += judge_intrinsics(K, size)
        points = turning_points(sequences, chosen, statistics.motions, size)
        findings.append(judge_focal_length(points, K, size))
    return sorted(findings, key=lambda finding: not finding.serious)


def describe_findings(findings: Sequence[Finding]) -> str:
    """A line for each, and one that says so where none is serious."""
    lines = [f'{"WARNING" if f.serious else "note"} ({f.code}): {f.message}' for f in findings]
    if not any(finding.serious for finding in findings):
        lines.append('nothing serious found')
    return '\n'.join(lines)


def judge_frames(statistics: VideoStatistics) -> list[Finding]:
    """Cuts, frames that stand still or are too far apart, a rolling camera, a rolling shutter,
    darkness, and parts that never change."""
    shift, roll, _, tracked = np.array(statistics.motions).T
    torn = tracked < MIN_TRACKED
    static = np.nan_to_num(shift, nan=1.0) < STATIC
    values = dict(
        cuts=torn.sum(),
        static=static.mean(),
        fast=_percentile(shift[~static & ~torn], 50),
        roll=_percentile(np.abs(roll[~torn]), 95),  # one frame in twenty may be a pothole
        rolling_shutter=_percentile(statistics.wobble, 50),
        dark=(statistics.brightness < _DARK).mean(),
        overlay=statistics.unchanging,
    )
    serious = [(code, value) for code, value in values.items() if value > _LIMITS[code][0]]
    return [Finding(code, _LIMITS[code][1].format(value)) for code, value in serious]


def judge_intrinsics(K: np.ndarray, size: tuple[int, int]) -> list[Finding]:
    """What intrinsics (3, 3) of real cameras do not look like, for images of `size`."""
    width, height = size
    found = {}
    angle = 2 * np.degrees(np.arctan(width / 2 / K[0, 0]))
    if not 20 < angle < 130:
        found['field_of_view'] = (
            f'fx = {K[0, 0]:.0f} at a width of {width} means a horizontal field of view of '
            f'{angle:.0f} degrees; are fx and width of the same image?'
        )
    if not 0.95 < K[0, 0] / K[1, 1] < 1.05:
        found['aspect'] = f'fx = {K[0, 0]:.0f}, fy = {K[1, 1]:.0f} differ: was the image squeezed?'
    off = max(abs(K[0, 2] / (width - 1) - 0.5), abs(K[1, 2] / (height - 1) - 0.5))
    if off > 0.15:
        found['centre'] = (
            f'the principal point ({K[0, 2]:.0f}, {K[1, 2]:.0f}) lies far from the middle of '
            f'{width}x{height}: right only if the image was cropped'
        )
    return [Finding(*item) for item in found.items()]


def judge_focal_length(
    points: Sequence[PairPoints], K: np.ndarray, size: tuple[int, int]
) -> Finding:
    """Whether the given focal length fits, by `check_focal_length`."""
    check = check_focal_length(points, K)
    angle = 2 * np.degrees(np.arctan(size[0] / 2 / (K[0, 0] * check.factor)))
    if check.verdict == 'fits':
        return Finding('focal_fits', f'fx = {K[0, 0]:.0f} fits the turns of the video')
    if check.verdict == 'wrong':
        text = (
            f'fx = {K[0, 0]:.0f} does not fit the video; about {K[0, 0] * check.factor:.0f} '
            f'({angle:.0f} degrees across) would: was it calibrated at another size, zoom or '
            'stabilisation mode, or is the lens distorted?'
        )
        return Finding('focal', text)
    reason = f'the camera turns by {check.turn:.0f} degrees at most, and straight driving fits any'
    if np.isnan(check.turn):
        reason = 'too few points at different depths can be followed over several frames'
    text = f'the focal length could not be checked: {reason}; look at a drive with turns'
    return Finding('focal_unknown', f'{text}, or calibrate')


def _percentile(values: np.ndarray, q: float) -> float:
    values = values[~np.isnan(values)]
    return float(np.percentile(values, q)) if len(values) else 0.0

"""Motion between frames, the choice of frames, and the check of the focal length."""

import cv2
import numpy as np
import pytest

from mmscd.video.focal_check import check_focal_length
from mmscd.video.motion import FrameSelector, measure_motion, small_grey


@pytest.fixture(scope='module')
def texture():
    noise = np.random.default_rng(0).uniform(0, 255, (300, 600)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, 32, 0).astype(np.uint8)


def view(texture, shift=0.0, roll=0.0, shear=0.0):
    """A window of 320x120 whose content moves by `shift` pixels to the right."""
    model = cv2.getRotationMatrix2D((300, 150), roll, 1)
    model[0, 2] += shift
    model = np.array([[1, shear, -150 * shear], [0, 1, 0], [0, 0, 1]]) @ np.vstack(
        [model, [0, 0, 1]]
    )
    return cv2.warpAffine(texture, model[:2], (600, 300))[90:210, 140:460]


def test_motion(texture):
    still = view(texture)
    moved = measure_motion(still, view(texture, shift=4.8))
    assert moved.shift == pytest.approx(4.8 / 320, rel=0.02)
    assert abs(moved.roll) < 0.05 and abs(moved.shear) < 0.001 and moved.tracked > 0.8
    # cv2 turns counter-clockwise, where y points down that is a negative angle
    rolled = measure_motion(still, view(texture, roll=1.5))
    assert rolled.roll == pytest.approx(-1.5, abs=0.05) and abs(rolled.shear) < 0.001
    # the last row slides by 0.02 x 120 pixels against the first
    slid = measure_motion(still, view(texture, shear=0.02))
    assert slid.shear == pytest.approx(0.02 * 120 / 320, abs=0.0005)
    assert measure_motion(still, still).shift == 0
    other = np.random.default_rng(1).integers(0, 255, still.shape, dtype=np.uint8)
    assert measure_motion(still, other).tracked < 0.1
    nothing = measure_motion(np.zeros_like(still), np.zeros_like(still))
    assert np.isnan(nothing).all()


def test_selector_drops_what_stands_and_splits_at_cuts(texture):
    shifts = [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 9, 12]
    other = np.ascontiguousarray(texture[::-1, ::-1])
    frames = [view(texture, s) for s in shifts] + [view(other), view(other, 4)]
    frames = [cv2.merge([f, f, f]) for f in frames]
    selector = FrameSelector(motion=1.8 / 320)
    answers = [selector(frame) for frame in frames]
    assert [i for i, a in enumerate(answers) if a is not None] == [0, 2, 4, 6, 11, 12, 13, 14]
    assert [a for a in answers if a is not None] == [0] * 6 + [1] * 2
    # nothing is dropped without a limit, and a black frame belongs to no sequence
    selector = FrameSelector(0.0)
    assert [selector(f) for f in frames[5:8]] == [0, 0, 0]
    assert selector(np.zeros_like(frames[0])) is None
    with pytest.raises(ValueError, match='share of the image width'):
        FrameSelector(motion=1.5)


def test_sizes():
    assert small_grey(np.zeros((400, 1280, 3), np.uint8)).shape == (100, 320)
    assert small_grey(np.zeros((40, 64), np.uint8)).shape == (40, 64)


def two_views(rng, turn, focal=400.0, noise=0.3):
    """Points of a street in two views between which the camera drives 1.5 m and turns."""
    K = np.array([[focal, 0, 319.5], [0, focal, 119.5], [0, 0, 1]])
    points = rng.uniform([-12, -3, 4], [12, 1.6, 50], (800, 3))
    R = cv2.Rodrigues(np.array([0, -np.radians(turn), 0]))[0]
    moved = (points - [0.1 * turn / 5, 0, 1.5]) @ R.T
    a, b = (points @ K.T) / points[:, 2:], (moved @ K.T) / moved[:, 2:]
    seen = moved[:, 2] > 1
    for pixels in (a, b):
        seen &= (pixels[:, :2] > 0).all(1) & (pixels[:, :2] < [640, 240]).all(1)
    return [p[seen, :2][:150] + rng.normal(0, noise, (min(150, seen.sum()), 2)) for p in (a, b)], K


@pytest.mark.parametrize('turn, factor, verdict', [
    (0, 1.0, 'unknown'), (0, 1.6, 'unknown'), (16, 1.0, 'fits'), (16, 0.6, 'wrong'),
    (16, 1.6, 'wrong'),
])  # fmt: skip
def test_focal_length(turn, factor, verdict):
    rng = np.random.default_rng(0)
    pairs, cameras = zip(*(two_views(rng, turn) for _ in range(3)), strict=True)
    given = cameras[0] * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])
    check = check_focal_length(pairs, given)
    assert check.verdict == verdict
    if verdict != 'unknown':
        assert check.factor * factor == pytest.approx(1, abs=0.13)
        assert check.turn == pytest.approx(turn / factor, rel=0.3)


def test_focal_length_needs_points():
    rng = np.random.default_rng(0)
    (a, b), K = two_views(rng, 16)
    check = check_focal_length([(a[:30], b[:30])], K)
    assert check.verdict == 'unknown' and np.isnan(check.turn)

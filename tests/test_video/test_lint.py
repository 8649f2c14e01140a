"""What the lint says about videos with one thing wrong at a time."""

import cv2
import numpy as np
import pytest

from mmscd.video.lint import judge_intrinsics, lint_video
from mmscd.video.sampling import choose_pairs

SIZE = (320, 120)
K = np.array([[250.0, 0, 159.5], [0, 250, 59.5], [0, 0, 1]])


@pytest.fixture(scope='module')
def texture():
    # coarse and fine: what moves far is followed from coarse to fine
    noise = np.random.default_rng(0).standard_normal((300, 1200)).astype(np.float32)
    layers = [sigma * cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (2, 6, 18)]
    return cv2.normalize(sum(layers), None, 0, 255, 32, 0)


@pytest.fixture
def video(texture, tmp_path):
    """Writes frames and returns their paths."""

    def write(count=40, step=4.0, roll=0.0, slide=0.0, gain=1.0, overlay=False, stand=()):
        rng = np.random.default_rng(1)
        paths, position = [], 0.0
        for i in range(count):
            position += 0 if i in stand else step
            model = cv2.getRotationMatrix2D((600 - 160, 60), roll * (-1) ** i, 1)
            model[:, 2] -= position, 90
            lean = slide * rng.uniform(-1, 1) * SIZE[0] / SIZE[1]
            model[0] += [0, lean, -60 * lean]
            frame = np.clip(cv2.warpAffine(texture, model, SIZE, borderMode=4) * gain, 0, 255)
            if overlay:
                frame[96:, :200] = 60 + 90 * (np.indices((24, 200)).sum(0) // 8 % 2)
            paths.append(tmp_path / f'{i:03d}.jpg')
            cv2.imwrite(str(paths[-1]), frame.astype(np.uint8))
        return paths

    return write


def codes(findings):
    return {finding.code for finding in findings if finding.serious}


def test_a_sound_video(video):
    findings = lint_video([video()], K, SIZE)
    assert codes(findings) == set()
    assert {f.code for f in findings} == {'few', 'focal_unknown'}
    assert 'only 38 training samples' in findings[0].message


@pytest.mark.parametrize('fault, code', [
    (dict(stand=range(10, 30)), 'static'),
    (dict(step=30.0, count=24), 'fast'),
    (dict(roll=1.5), 'roll'),
    (dict(slide=0.015), 'rolling_shutter'),
    (dict(gain=0.2), 'dark'),
    (dict(overlay=True), 'overlay'),
])  # fmt: skip
def test_one_fault(video, fault, code):
    assert codes(lint_video([video(**fault)])) == {code}


def test_cuts(video, tmp_path):
    paths = video(count=20)
    for path in paths[::4]:
        image = np.random.default_rng(2).integers(0, 255, SIZE[::-1], dtype=np.uint8)
        cv2.imwrite(str(path), image)
    assert 'cuts' in codes(lint_video([paths]))


def test_intrinsics():
    assert judge_intrinsics(K, SIZE) == []
    assert codes(judge_intrinsics(K * [[8], [8], [1]], (320 * 8, 120 * 8))) == set()
    long = np.array([[2500.0, 0, 159.5], [0, 2500, 59.5], [0, 0, 1]])
    assert codes(judge_intrinsics(long, SIZE)) == {'field_of_view'}
    assert codes(judge_intrinsics(K * [[1], [1.2], [1]], SIZE)) == {'aspect'}
    assert [f.code for f in judge_intrinsics(K, (480, 120))] == ['centre']


def test_pairs_and_refusals(video, tmp_path):
    assert choose_pairs([3, 1, 2], 10) == [(0, 0), (0, 1), (2, 0)]
    assert choose_pairs([5], 100) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert choose_pairs([101], 3) == [(0, 0), (0, 50), (0, 99)]
    assert choose_pairs([1], 5) == []
    with pytest.raises(ValueError, match='need the size'):
        lint_video([video(count=3)], K)
    paths = video(count=3)
    with pytest.raises(ValueError, match='without two frames'):
        lint_video([paths[:1]])
    cv2.imwrite(str(paths[1]), np.zeros((60, 320, 3), np.uint8))
    with pytest.raises(ValueError, match='differ in size'):
        lint_video([paths])
    paths[1].write_bytes(b'no image')
    with pytest.raises(OSError, match='001.jpg'):
        lint_video([paths])

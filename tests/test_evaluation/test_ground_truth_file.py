"""Ground-truth files whose arrays do not fit one another."""

import numpy as np
import pytest

from mmscd.evaluation.ground_truth_file import GroundTruthFile

K = np.array([[40, 0, 20], [0, 40, 12], [0, 0, 1.0]])
GOOD = dict(
    names=np.array(['a', 'b']),
    shapes=np.array([[2, 3], [4, 5]], np.int32),
    offsets=np.array([0, 2, 3]),
    index=np.array([0, 5, 19], np.uint32),
    depth=np.array([1.5, 2, 3], np.float32),
    K=np.stack([K, K]),
)


def read(path):
    stored = GroundTruthFile(path)
    return [(stored.depth(i).tolist(), stored.intrinsics(i)[0, 0]) for i in range(len(stored))]


def test_a_whole_file(tmp_path):
    np.savez(tmp_path / 'gt.npz', **GOOD)
    (first, focal), (second, _) = read(tmp_path / 'gt.npz')
    assert first == [[1.5, 0, 0], [0, 0, 2]] and focal == 40
    assert np.shape(second) == (4, 5) and second[3][4] == 3 and np.sum(second) == 3


@pytest.mark.parametrize(
    'changed, told',
    [
        (dict(names=np.array(1.0)), r'is inconsistent in names \(float64, shape \(\)\)'),
        (dict(names=np.array(['a', 'a'])), 'is inconsistent in names or offsets'),
        (dict(shapes=np.array([2, 3])), 'is inconsistent in shapes'),
        (dict(shapes=np.full((2, 2), 10**6)), 'map 0 holds no depth map'),
        (dict(shapes=np.array([[-2, -3], [4, 5]])), 'map 0 holds no depth map'),
        (dict(offsets=np.array(3)), 'is inconsistent in offsets'),
        (dict(offsets=np.array([0, 3, 2])), 'is inconsistent in names or offsets'),
        (dict(offsets=np.array([1, 2, 3])), 'is inconsistent in names or offsets'),
        (dict(offsets=np.array([0, 2, 9])), 'is inconsistent in names or offsets'),
        (dict(index=np.zeros(0)), 'is inconsistent in index'),
        (dict(index=np.array([0, 6, 19])), 'map 0 holds no depth map'),
        (dict(depth=np.zeros(0, np.float32)), 'is inconsistent in depth'),
        (dict(depth=np.array([1, np.nan, 3])), 'map 0 holds no depth map'),
        (dict(K=np.zeros(0)), 'is inconsistent in K'),
        (dict(K=np.stack([K * np.nan, K])), 'K of map 0: expected 3 x 3 finite numbers'),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changed, told):
    path = tmp_path / 'gt.npz'
    np.savez(path, **(GOOD | changed))
    with pytest.raises(ValueError, match=rf'gt\.npz.* ?{told}'):
        read(path)

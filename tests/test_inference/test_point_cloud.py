"""Point clouds against pixel-by-pixel arithmetic, and the files they go to."""

import numpy as np
import pytest

from mmscd.inference.point_cloud import (
    Intrinsics,
    at_edge,
    back_project,
    check_matrix,
    encode_ply,
    make_point_cloud,
)

K = np.array([[50.0, 0, 4.5], [0, 40.0, 2.0], [0, 0, 1]])
RNG = np.random.default_rng(0)
DEPTH = RNG.uniform(5, 6, (6, 10)).astype(np.float32)
IMAGE = RNG.integers(0, 256, (6, 10, 3), dtype=np.uint8)


def read_ply(data):
    """Naive reader of what `encode_ply` writes."""
    header, body = data.split(b'end_header\n', 1)
    lines = header.decode().splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    count = int(next(line.split()[-1] for line in lines if line.startswith('element vertex')))
    properties = [line.split()[1:] for line in lines if line.startswith('property')]
    kinds = dict(float='<f4', uchar='u1')
    table = np.frombuffer(body, [(name, kinds[kind]) for kind, name in properties])
    assert len(table) == count
    return table


def test_points_by_hand():
    points = back_project(DEPTH, K)
    for v in range(6):
        for u in range(10):
            z = float(DEPTH[v, u])
            assert points[v, u] == pytest.approx([(u - 4.5) / 50 * z, (v - 2) / 40 * z, z])


def test_ply_holds_the_points_and_their_colours():
    points, colors = make_point_cloud(DEPTH, IMAGE, K, max_depth=100, jump=None)
    table = read_ply(encode_ply(points, colors))
    assert len(table) == 60
    xyz = np.stack([table[axis] for axis in 'xyz'], axis=1)
    assert xyz == pytest.approx(back_project(DEPTH, K).reshape(-1, 3), rel=1e-6)
    rgb = np.stack([table[c] for c in ('red', 'green', 'blue')], axis=1)
    assert (rgb == IMAGE.reshape(-1, 3)).all()


def test_far_points_and_edges_are_left_out():
    depth = np.full((6, 10), 5.0)
    depth[:, 5:] = 10.0
    edge = at_edge(depth, 0.1)
    assert edge[:, 4:6].all() and edge.sum() == 12
    assert not at_edge(depth, 1.5).any()
    points, _ = make_point_cloud(depth, IMAGE, K, max_depth=7, jump=0.1)
    assert len(points) == 6 * 4 and set(points[:, 2]) == {5.0}
    depth[0, 0] = np.nan
    assert len(make_point_cloud(depth, IMAGE, K, max_depth=7, jump=None)[0]) == 29


def test_intrinsics(tmp_path, caplog):
    path = tmp_path / 'camera.yaml'
    path.write_text('fx: 50\nfy: 40\ncx: 4.5\ncy: 2.0\nwidth: 10\nheight: 6\n')
    assert Intrinsics(path)((6, 10)) == pytest.approx(K)
    with pytest.raises(ValueError, match='is for 10x6, the images are 20x12.*scale_intrinsics'):
        Intrinsics(path)((12, 20))
    assert Intrinsics(path, scale=True)((12, 20))[0] == pytest.approx([100, 0, 9.5])
    assert Intrinsics(K.tolist())((6, 10)) == pytest.approx(K)
    camera = Intrinsics(K)
    with caplog.at_level('WARNING'):
        assert camera((2, 4)) == pytest.approx(K) == camera((2, 4))  # as that of a crop
    with pytest.raises(ValueError, match='intrinsics: focal lengths 0.58, 1.92 are no pixels'):
        Intrinsics([[0.58, 0, 0.5], [0, 1.92, 0.5], [0, 0, 1]])((192, 640))
    for bad in (np.eye(4), [[0, 0, 0]] * 3, 'x', None, [[1, 2], [3]]):
        with pytest.raises((ValueError, FileNotFoundError)):
            Intrinsics(bad)
    with pytest.raises(ValueError, match=r'\(3, 3\) matrix'):
        check_matrix(K * np.nan)

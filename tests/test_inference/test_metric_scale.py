"""Scale by camera height on planes whose height is known."""

import numpy as np
import pytest

from mmscd.inference.metric_scale import CameraHeightScale, NoRoadError, build_scale, fit_road_plane

K = np.array([[500.0, 0, 319.5], [0, 520.0, 95.5], [0, 0, 1]])
SHAPE = (192, 640)


def road_depth(height, pitch=0.0, roll=0.0, far=1e4):
    """Depth of a plane `height` below a tilted camera, by intersecting each ray; sky beyond."""
    down = np.array([np.sin(roll), np.cos(roll) * np.cos(pitch), np.cos(roll) * np.sin(pitch)])
    depth = np.empty(SHAPE)
    for v in range(SHAPE[0]):
        for u in range(SHAPE[1]):
            ray = np.array([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], 1.0])
            below = down @ ray
            depth[v, u] = height / below if below * far > height else far
    return depth


@pytest.mark.parametrize(('pitch', 'roll'), [(0, 0), (0.06, 0.02), (-0.04, -0.05)])
def test_height_of_a_known_plane(pitch, roll):
    depth = road_depth(1.5, pitch, roll)
    scale = CameraHeightScale(1.65)
    road = scale.find_road(depth, K)
    assert road.height == pytest.approx(1.5, rel=1e-6)
    assert road.inliers == pytest.approx(1)
    assert np.degrees(np.arccos(np.cos(pitch) * np.cos(roll))) == pytest.approx(
        road.tilt_deg, abs=1e-4
    )
    # a prediction in any unit comes out in metres
    for unit in (1e-3, 1.0, 37.0):
        factor = scale(depth / unit, K, 'image', None)
        assert factor / unit == pytest.approx(1.65 / 1.5, rel=1e-6)


def test_noise_and_a_car_on_the_road_do_not_matter():
    rng = np.random.default_rng(0)
    depth = road_depth(1.5, 0.03)
    depth *= np.exp(rng.normal(0, 0.03, SHAPE))
    depth[120:, 230:320] = 6.0  # a third of the region
    road = CameraHeightScale(1.65).find_road(depth, K)
    assert road.height == pytest.approx(1.5, rel=0.01)
    assert 0.5 < road.inliers < 0.8


def test_all_points_by_another_solver():
    rng = np.random.default_rng(1)
    plane = rng.uniform(-0.1, 0.1, (200, 3)) + [0, 0, 1]
    normal = np.array([0.02, 0.98, 0.1]) / np.linalg.norm([0.02, 0.98, 0.1])
    points = rng.uniform([-4, 0, 4], [4, 0, 30], (200, 3))
    points[:, 1] = (2.0 - points[:, 0] * normal[0] - points[:, 2] * normal[2]) / normal[1]
    points *= 1 + 0.01 * plane[:, :1]
    road = fit_road_plane(points)
    # relative residuals: least squares of m . p = 1
    m = np.linalg.solve(points.T @ points, points.sum(axis=0))
    assert road.height == pytest.approx(1 / np.linalg.norm(m), rel=1e-9)
    assert road.normal == pytest.approx(m / np.linalg.norm(m), abs=1e-9)


def test_no_road_is_said():
    wall = np.full(SHAPE, 10.0)
    with pytest.raises(NoRoadError, match=r'street.png: no road found.*rows and columns'):
        CameraHeightScale(1.65)(wall, K, 'street.png', None)
    assert fit_road_plane(np.zeros((2, 3))) is None
    assert fit_road_plane(np.zeros((50, 3))) is None


def test_in_a_video_the_median_holds_and_gaps_are_bridged():
    scale, video = CameraHeightScale(1.5, window=3), object()
    depths = [road_depth(h) for h in (1.5, 3.0, 1.5, 0.75)]
    factors = [scale(depth, K, 'frame', video) for depth in depths]
    assert factors == pytest.approx([1.0, 0.75, 1.0, 1.0])  # medians of 1, .5, 1, 2
    assert scale(np.full(SHAPE, 10.0), K, 'frame', video) == pytest.approx(1.0)
    # another video, or a single image, starts anew
    with pytest.raises(NoRoadError):
        scale(np.full(SHAPE, 10.0), K, 'frame', object())
    assert scale(depths[3], K, 'frame', None) == pytest.approx(2.0)


def test_arguments():
    assert build_scale(None) is None
    assert build_scale(5.4)(None, None, '', None) == 5.4
    assert build_scale(dict(type='fixed', factor=2)).factor == 2
    camera = build_scale(dict(type='camera_height', height=1.2, rows=(0.5, 0.9)))
    assert (camera.height, camera.rows, camera.needs_camera) == (1.2, (0.5, 0.9), True)
    bad = [0, -1.0, float('nan'), True, 'big', dict(type='other'), dict(height=1.65)]
    bad += [dict(type='camera_height'), dict(type='camera_height', height=-1)]
    bad += [dict(type='camera_height', height=1.6, rows=(0.9, 0.2)), dict(type='fixed', size=1)]
    for scale in bad:
        with pytest.raises(ValueError, match=r'scale|height|rows'):
            build_scale(scale)

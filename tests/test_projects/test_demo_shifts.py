"""Weather, night and motion of the demo world: against formulas, and nothing but light changes."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

cv2 = pytest.importorskip('cv2')

PROJECT = Path(__file__).resolve().parents[2] / 'projects' / 'demo_world'
NAMES = (
    *('camera', 'dataset', 'frames', 'light', 'motion', 'night', 'rain', 'scene'),
    *('shift_set', 'shifts', 'writer'),
)
SET = dict(width=96, height=32, seed=2, train_scenes=1, frames=3, eval_scenes=1, eval_frames=3)


@pytest.fixture(scope='module')
def demo():
    sys.path.insert(0, str(PROJECT))
    yield SimpleNamespace(**{n: importlib.import_module(f'demo_world.{n}') for n in NAMES})
    sys.path.remove(str(PROJECT))


@pytest.fixture(scope='module')
def renderer(demo):
    # a street with street lamps and a car that comes towards the camera
    for drive in range(1, 40):
        scene = demo.scene.build_scene(seed=0, drive=drive, frames=4)
        lamps = demo.night.lamp_positions(scene.static)
        if len(lamps) and any(car.speed < 0 for car in scene.movers):
            return demo.frames.FrameRenderer(scene, demo.camera.Intrinsics.for_size(128, 48))
    raise AssertionError('no street has both')


def plain_linear(encoded):
    """sRGB, as its standard writes it."""
    encoded = np.asarray(encoded, np.float64)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def test_encoding_is_that_of_the_standard(demo):
    values = np.linspace(0, 1, 513)
    assert np.allclose(demo.light.to_linear(values), plain_linear(values), atol=1e-6)
    assert np.allclose(demo.light.to_encoded(plain_linear(values)), values, atol=1e-5)
    assert demo.light.to_encoded(np.array([-1.0, 2.0])).tolist() == pytest.approx([0, 1])


def test_fog_is_koschmieders_law(demo, renderer):
    rng = np.random.default_rng(0)
    surface, distance, air = rng.random((5, 7, 3)), rng.uniform(1, 60, (5, 7)), rng.random(3)
    distance[0, 0] = np.inf
    found = demo.light.add_fog(surface, distance, 0.05, air)
    for row, column, k in np.ndindex(5, 7, 3):
        through = np.exp(-0.05 * distance[row, column])
        told = surface[row, column, k] * through + air[k] * (1 - through)
        assert found[row, column, k] == pytest.approx(told, rel=1e-12)
    # the whole picture: the law at each sample, the mean light of a pixel's samples, encoded
    image = demo.shifts.draw_fog(renderer, 1, 0.06)
    shot = renderer.shot(1)
    light = demo.light.overcast(float(np.exp(-30 * 0.06)), 1.25, 0.8)
    surface = plain_linear(renderer.encoded(shot, light))
    rays = shot.view.rays().reshape(*shot.seen.prim.shape, 3)
    depth = np.where(shot.seen.prim < 0, np.inf, 1 / np.maximum(shot.seen.inv_z, 1e-9))
    through = np.exp(-0.06 * depth * np.linalg.norm(rays, axis=2))[..., None]
    told = surface * through + plain_linear(light.dome[0]) * (1 - through)
    told = told.reshape(48, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(plain_linear(image) - told).max() < 1e-4
    # denser fog hides more
    contrast = [demo.shifts.draw_fog(renderer, 1, b)[16:].std() for b in (0.03, 0.06, 0.11)]
    assert contrast[0] > contrast[1] > contrast[2] > 0.01


def test_distance_runs_along_the_ray(renderer):
    shot = renderer.shot(1)
    distance = shot.distance()
    assert np.isinf(distance[shot.seen.prim < 0]).all()
    solid = shot.seen.prim >= 0
    assert (distance[solid] * shot.seen.inv_z[solid] >= 1 - 1e-12).all()


def test_blur_is_the_mean_light_of_frames_taken_apart(demo, renderer):
    image = demo.motion.draw_motion(renderer, 1, 0.8, 4)
    total = 0.0
    for share in (-0.375, -0.125, 0.125, 0.375):
        time = 1 + 0.8 * share
        pose = demo.motion.pose_at(renderer.scene.poses, time)
        shot = renderer.shot(time, pose, 1)
        total = total + plain_linear(renderer.encoded(shot))
    assert np.abs(plain_linear(image) - total / 4).max() < 1e-5
    # the middle of the exposure is the frame: a single sub-frame is that frame
    one = demo.motion.draw_motion(renderer, 1, 0.8, 1)
    shot = renderer.shot(1, None, 1)
    assert np.abs(one - renderer.encoded(shot)).max() < 1e-5


def test_poses_between_frames(demo, renderer):
    poses = renderer.scene.poses
    for index in (0, 1, 3):
        assert np.allclose(demo.motion.pose_at(poses, index), poses[index], atol=1e-9)
    half = demo.motion.pose_at(poses, 1.5)
    assert np.allclose(half[:3, 3], (poses[1] + poses[2])[:3, 3] / 2)
    assert np.allclose(half[:3, :3].T @ half[:3, :3], np.eye(3))
    assert np.allclose(poses[1][:3, :3].T @ half[:3, :3], half[:3, :3].T @ poses[2][:3, :3])
    ahead = demo.motion.pose_at(poses, 3.5)
    assert np.allclose(ahead[:3, 3], poses[3][:3, 3] + (poses[3] - poses[2])[:3, 3] / 2)


def test_lamps_fall_off_with_the_square_and_shine_downwards(demo):
    lamp, up = np.array([0.0, -6.0, 0.0]), np.array([[0.0, -1.0, 0.0]])
    point = np.array([[0.0, 0.0, 0.0]])
    below = demo.night.from_lamp(point, up, lamp)[0, 0]
    assert below == pytest.approx(1 / 36.3)
    aside = np.array([[8.0, 0.0, 0.0]])
    told = 0.6 * (0.12 + 0.88 * 0.6) / 100.3
    assert demo.night.from_lamp(aside, up, lamp)[0, 0] == pytest.approx(told)
    assert demo.night.from_lamp(np.array([[0.0, -9.0, 0.0]]), -up, lamp)[0, 0] == 0
    assert demo.night.from_lamp(np.array([[50.0, 0.0, 0.0]]), up, lamp)[0, 0] == 0
    # low beams light the road ahead, little above their height, and nothing behind
    eye, back = np.array([0.0, -1.5, 0.0]), np.array([[0.0, 0.0, -1.0]])
    wall = [np.array([[0.0, y, 12.0]]) for y in (-0.3, -2.0)]
    low, high = (demo.night.from_headlights(at, back, eye, 0.0)[0, 0] for at in wall)
    assert low > 8 * high > 0
    assert demo.night.from_headlights(np.array([[0.0, -0.3, -9.0]]), -back, eye, 0.0)[0, 0] == 0


def test_lamps_and_lights_of_cars_are_seen_at_night(demo, renderer):
    shot = renderer.shot(1)
    lit = np.arange(len(shot.geom.verts)) >= len(renderer.scene.static.verts)
    assert lit.any()
    seen = demo.night.find_surfaces(renderer, shot, lit, demo.night.LED)
    assert (seen.glow.max(1) > 5).any() and (seen.glow.max(1) == 0).mean() > 0.5
    assert np.allclose(np.linalg.norm(seen.normal, axis=1), 1, atol=1e-6)
    depth = (seen.point - shot.view.pose[:3, 3]) @ shot.view.pose[:3, 2]
    assert np.allclose(depth * shot.seen.inv_z.ravel()[seen.where], 1)
    image = demo.night.draw_night(renderer, 1, demo.shifts.NIGHT[3], np.random.default_rng(0))
    assert image.max() > 0.99 and np.median(image) < 0.2


def test_the_road_mirrors_what_stands_on_it(demo, renderer):
    shot = renderer.shot(1)
    mirrored = demo.rain.mirrored_shot(renderer, shot, 1)
    rot, other = shot.view.pose[:3, :3], mirrored.view.pose[:3, :3]
    assert np.linalg.det(other) == pytest.approx(1)
    # a point on the road is seen in both at one place, rows turned round
    point = shot.view.pose[:3, 3] + rot @ np.array([0.3, 0.4, 1.0]) * 7.0
    point[1] = 0.0
    here = (point - shot.view.pose[:3, 3]) @ rot
    there = (point - mirrored.view.pose[:3, 3]) @ other
    assert np.allclose(here * (1, -1, 1), there)
    # and one above it where its mirror image is seen from above
    tip = point - (0, 2.0, 0)
    image = (point + (0, 2.0, 0) - shot.view.pose[:3, 3]) @ rot
    assert np.allclose((tip - mirrored.view.pose[:3, 3]) @ other, image * (1, -1, 1))
    # no ground is in the way
    labels = mirrored.geom.label[
        mirrored.seen.prim[mirrored.seen.prim >= 0] % len(mirrored.geom.label)
    ]
    assert (labels == 0).mean() < 0.02
    assert demo.rain.fresnel(np.array([1.0, 0.0])).tolist() == pytest.approx([0.02, 1.0])


def test_only_light_changes_and_the_same_way_every_time(demo, renderer):
    frame = renderer.render(1)
    for name in demo.shifts.SHIFTS:
        means, images = [], []
        for level in demo.shifts.LEVELS:
            image = demo.shifts.draw_shift(renderer, 1, name, level, (0, 5))
            assert image.shape == (48, 128, 3) and image.dtype == np.uint8
            again = demo.shifts.draw_shift(renderer, 1, name, level, (0, 5))
            assert np.array_equal(image, again), name
            means.append(np.abs(image.astype(float) - frame.image).mean())
            images.append(image)
        # neither trivial nor gone: what is left has structure, and levels differ
        assert min(means) > 2 and all(image[20:].std() > 4 for image in images), (name, means)
        assert means[0] < means[2], (name, means)
    for name in ('lab_night', 'lab_rain'):
        other = demo.shifts.draw_shift(renderer, 1, name, 2, (1, 5))
        assert not np.array_equal(other, demo.shifts.draw_shift(renderer, 1, name, 2, (0, 5)))
    after = renderer.render(1)
    assert np.array_equal(after.depth, frame.depth) and np.array_equal(after.image, frame.image)


def read_all(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*') if p.is_file()}


def test_a_set_gets_its_shifts_and_stays_as_it_is(demo, tmp_path):
    params = demo.writer.Params(**SET, test_scenes=2)
    demo.dataset.render_set(tmp_path, params, 1, lambda *_: None)
    before = read_all(tmp_path)
    assert demo.shift_set.draw_shifts(tmp_path, params, 1) == 2 * 12
    after = read_all(tmp_path)
    assert {k: after[k] for k in before} == before
    drive = 'demo_town/demo_town_drive_0003_sync/image_02/data/0000000001'
    file = tmp_path / 'shifted/lab_night/2' / f'{drive}.jpg'
    assert cv2.imread(str(file)).shape == (32, 96, 3)
    assert len([k for k in after if k.startswith('shifted/') and k.endswith('.jpg')]) == 24
    assert demo.shift_set.draw_shifts(tmp_path, params, 1) == 0
    file.unlink()
    assert demo.shift_set.draw_shifts(tmp_path, params, 1) == 1
    assert read_all(tmp_path) == after
    (tmp_path / 'shifted/shifts.json').write_text('{"version": "0"}')
    with pytest.raises(ValueError, match='was begun with'):
        demo.shift_set.draw_shifts(tmp_path, params, 1)


def test_sets_of_before_are_still_theirs(demo):
    params = demo.writer.Params()
    assert 'test_scenes' not in params.content()
    more = demo.writer.Params(train_scenes=1, eval_scenes=1, test_scenes=3)
    assert [split for split, _ in more.drives().values()] == ['train', 'val', *['test'] * 3]


def test_the_preset_of_the_laboratory(demo):
    sys.path.insert(0, str(PROJECT))
    spec = importlib.util.spec_from_file_location('demo_render', PROJECT / 'render.py')
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    sys.path.remove(str(PROJECT))
    splits = [split for split, _ in render.LAB.drives().values()]
    assert splits.count('test') >= 64 and splits.count('val') >= 32
    # a judged image per test street
    assert {n for split, n in render.LAB.drives().values() if split == 'test'} == {3}
    args = render.build_parser(render.LAB).parse_args([])
    assert args.shifts and str(args.out) == 'data/demo_lab'
    assert not render.build_parser(demo.writer.Params()).parse_args([]).shifts

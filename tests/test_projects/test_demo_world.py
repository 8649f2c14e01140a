"""Tests of the procedural demo world: geometry, determinism, layout and resuming."""

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

cv2 = pytest.importorskip('cv2')

PROJECT = Path(__file__).resolve().parents[2] / 'projects' / 'demo_world'
ROAD, SIDEWALK, SKY, CAR = 0, 1, 10, 13
SMALL = {
    'width': 160,
    'height': 48,
    'seed': 3,
    'train_scenes': 1,
    'frames': 4,
    'eval_scenes': 1,
    'eval_frames': 3,
}


@pytest.fixture(scope='module')
def demo():
    sys.path.insert(0, str(PROJECT))
    names = ('camera', 'dataset', 'frames', 'mean_depth', 'preview', 'scene', 'street', 'writer')
    yield SimpleNamespace(**{n: importlib.import_module(f'demo_world.{n}') for n in names})
    sys.path.remove(str(PROJECT))


@pytest.fixture(scope='module')
def renderer(demo):
    scene = demo.scene.build_scene(seed=0, drive=1, frames=12)
    return demo.frames.FrameRenderer(scene, demo.camera.Intrinsics.for_size(208, 64))


@pytest.fixture(scope='module')
def rendered(demo, tmp_path_factory):
    root = tmp_path_factory.mktemp('world') / 'set'
    params = demo.writer.Params(**SMALL)
    assert demo.dataset.render_set(root, params, workers=1, progress=lambda *_: None) == 10
    return root, params


def read_all(root):
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob('*')) if p.is_file()
    }


def pixel_rays(cam):
    u, v = np.meshgrid(np.arange(cam.width), np.arange(cam.height))
    return np.stack([(u - cam.cx) / cam.fx, (v - cam.cy) / cam.fx, np.ones(u.shape)], -1)


def bilinear(image, u, v):
    """Plain bilinear lookup of (H, W, 3) at positions (n,), pixel centres at integers."""
    x, y = np.floor(u).astype(int), np.floor(v).astype(int)
    fx, fy = (u - x)[:, None], (v - y)[:, None]
    top = image[y, x] * (1 - fx) + image[y, x + 1] * fx
    low = image[y + 1, x] * (1 - fx) + image[y + 1, x + 1] * fx
    return top * (1 - fy) + low * fy


def warp_errors(renderer, target, source):
    """Mean absolute errors (grey levels) without and with warping, on static visible pixels."""
    cam, poses = renderer.cam, renderer.scene.poses
    a, b = renderer.render(target), renderer.render(source)
    image_a, image_b = a.image.astype(float), b.image.astype(float)
    world = (pixel_rays(cam) * a.depth[..., None]) @ poses[target][:3, :3].T
    seen = (world + poses[target][:3, 3] - poses[source][:3, 3]) @ poses[source][:3, :3]
    z = np.maximum(seen[..., 2], 1e-3)
    u, v = cam.fx * seen[..., 0] / z + cam.cx, cam.fx * seen[..., 1] / z + cam.cy
    ok = (a.depth > 0) & (a.labels != CAR) & (u > 0) & (u < cam.width - 2)
    ok &= (v > 0) & (v < cam.height - 2)
    # Where the other frame sees something nearer or farther, the point is hidden there.
    other = b.depth[
        np.rint(np.where(ok, v, 0)).astype(int), np.rint(np.where(ok, u, 0)).astype(int)
    ]
    ok &= np.abs(other / z - 1) < 0.05
    assert ok.mean() > 0.3
    warped = np.abs(bilinear(image_b, u[ok], v[ok]) - image_a[ok]).mean()
    return np.abs(image_b[ok] - image_a[ok]).mean(), warped


def test_flat_camera_sees_the_road_plane_exactly(demo, renderer):
    cam = renderer.cam
    pose = demo.camera.make_pose(np.array([1.0, -1.6, 3.0]), np.eye(3))
    frame = renderer.render(0, pose)
    rows, cols = np.nonzero(frame.labels == ROAD)
    assert rows.size > 500
    assert np.allclose(frame.depth[rows, cols], 1.6 * cam.fx / (rows - cam.cy), rtol=1e-9)


def test_labels_agree_with_depth(renderer):
    frame, pose = renderer.render(5), renderer.scene.poses[5]
    assert frame.image.shape == (64, 208, 3) and frame.depth.shape == (64, 208)
    assert np.array_equal(frame.labels == SKY, frame.depth == 0)
    height = ((pixel_rays(renderer.cam) * frame.depth[..., None]) @ pose[:3, :3].T)[..., 1]
    height += pose[1, 3]
    assert np.abs(height[frame.labels == ROAD]).max() < 1e-9
    walk = height[frame.labels == SIDEWALK]
    assert walk.min() > -0.12 - 1e-9 and walk.max() < 1e-9
    assert not (frame.labels[-8:] == SKY).any()
    assert len(np.unique(frame.labels)) >= 6


@pytest.mark.parametrize('source', [4, 6])
def test_warping_a_neighbour_reproduces_the_image(renderer, source):
    plain, warped = warp_errors(renderer, 5, source)
    assert plain > 12
    assert warped < 8
    assert warped < 0.5 * plain


def test_images_are_textured_and_bright(renderer):
    grey = renderer.render(5).image.mean(-1)
    assert 60 < grey.mean() < 190
    steps = np.abs(np.diff(grey, axis=1))[36:]
    assert np.median(steps) > 1.5


def test_camera_always_moves_forward(renderer):
    poses = renderer.scene.poses
    step = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert step.min() > 0.6 and step.max() < 1.1
    assert np.allclose(poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1), np.eye(3))
    assert np.unique(np.round(step, 6)).size == step.size


def test_moving_cars_move(demo):
    # some streets have no traffic
    scenes = (demo.scene.build_scene(seed=0, drive=k, frames=12) for k in range(2, 12))
    scene = next(scene for scene in scenes if scene.movers)
    first, last = scene.moving(0), scene.moving(8)
    assert first and len(first) == len(last)
    for a, b in zip(first, last, strict=True):
        assert np.linalg.norm((a.verts - b.verts).mean((0, 1))) > 1.0


def test_layout_and_splits(rendered):
    root, params = rendered
    drive = root / 'demo_town' / 'demo_town_drive_0001_sync'
    name = '0000000002'
    assert cv2.imread(str(drive / f'image_02/data/{name}.jpg')).shape == (48, 160, 3)
    depth = cv2.imread(str(drive / f'proj_depth/groundtruth/image_02/{name}.png'), -1)
    labels = cv2.imread(str(drive / f'labels/image_02/{name}.png'), -1)
    assert depth.dtype == np.uint16 and labels.dtype == np.uint8
    assert not depth[labels == SKY].any()
    assert not (drive / 'image_03').exists()
    poses = np.loadtxt(drive / 'poses/image_02.txt')
    assert poses.shape == (4, 12)
    splits = {
        s: (root / 'splits' / f'{s}_files.txt').read_text().split('\n')[:-1]
        for s in ('train', 'val', 'test')
    }
    assert splits['train'] == [f'demo_town/demo_town_drive_0001_sync {i} l' for i in (1, 2)]
    assert splits['val'] == ['demo_town/demo_town_drive_0002_sync 1 l']
    assert splits['test'] == ['demo_town/demo_town_drive_0003_sync 1 l']
    manifest = json.loads((root / 'manifest.json').read_text())
    assert manifest['seed'] == 3 and manifest['total_frames'] == 10
    assert not list(root.rglob('*.tmp'))


def test_calibration(rendered):
    root, _ = rendered
    table = {}
    for line in (root / 'demo_town' / 'calib_cam_to_cam.txt').read_text().splitlines():
        key, value = line.split(':', 1)
        if key != 'calib_time':
            table[key] = np.array(value.split(), float)
    assert table['S_rect_02'].tolist() == [160, 48]
    left, right = (table[f'P_rect_{c}'].reshape(3, 4) for c in ('02', '03'))
    assert left[0, 0] == pytest.approx(0.58 * 160) and not left[:, 3].any()
    assert right[0, 3] == pytest.approx(-0.54 * left[0, 0])
    assert np.allclose(table['R_rect_00'].reshape(3, 3), np.eye(3))
    for name in ('velo_to_cam', 'imu_to_velo'):
        text = (root / 'demo_town' / f'calib_{name}.txt').read_text()
        rot = next(x for x in text.splitlines() if x.startswith('R:'))
        rot = np.array(rot[2:].split(), float).reshape(3, 3)
        assert np.allclose(rot @ rot.T, np.eye(3)) and np.linalg.det(rot) == pytest.approx(1)


def test_complete_set_is_left_alone_and_mismatch_is_refused(demo, rendered):
    root, params = rendered
    before = {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    assert demo.dataset.render_set(root, params, workers=1) == 0
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    other = demo.writer.Params(**{**SMALL, 'seed': 4})
    with pytest.raises(FileExistsError, match='seed 3 instead of 4'):
        demo.dataset.render_set(root, other, workers=1)


def test_set_of_another_renderer_is_refused(demo, tmp_path):
    old = {**demo.writer.asdict(demo.writer.Params(**SMALL)), 'version': '1.0'}
    del old['eval_scenes']
    (tmp_path / 'render_params.json').write_text(json.dumps(old))
    with pytest.raises(FileExistsError, match=r'eval_scenes none .*version 1\.0 instead of 2'):
        demo.dataset.render_set(tmp_path, demo.writer.Params(**SMALL), workers=1)


def test_drives_are_split_in_order(demo):
    params = demo.writer.Params(train_scenes=3, frames=5, eval_scenes=2, eval_frames=4)
    assert list(params.drives().values()) == 3 * [('train', 5)] + 2 * [('val', 4)] + 2 * [
        ('test', 4)
    ]
    assert list(params.drives()) == [1, 2, 3, 4, 5, 6, 7]


def test_layouts_differ_and_leave_room_for_traffic(demo):
    drawn = [demo.street.Layout.draw(np.random.default_rng(k)) for k in range(200)]
    for layout in drawn:
        left, right = layout.lanes()
        assert right - left > 5.7
        assert -layout.half <= left < right <= layout.half
        assert layout.outer(1) > layout.half + 1.7
        assert layout.front(-1) > layout.outer(-1) + 0.3
    fronts = [layout.front(1) for layout in drawn]
    assert min(fronts) < 6 and max(fronts) > 20
    ahead = [layout.ahead for layout in drawn]
    assert min(ahead) < 15 and max(ahead) > 45


def test_street_ends_where_it_should_and_frames_follow_it(demo):
    street = demo.street.Street(np.random.default_rng(5), 43.3)
    assert street.end == 43.3 and street(0.0) == pytest.approx(0, abs=0.3)
    assert (np.diff(street.knots) > 0.9).all()
    frame = street.frame(20.0, 3.0)
    assert frame[:3, 3] == pytest.approx([street(20.0) + 3.0, 0, 20.0])
    slope = (street(23.0) - street(17.0)) / 6.0
    assert frame[0, 2] / frame[2, 2] == pytest.approx(slope)


def test_interrupted_render_goes_on_to_the_same_bytes(demo, rendered, tmp_path):
    root, params = rendered
    copy = tmp_path / 'copy'
    shutil.copytree(root, copy)
    (copy / 'manifest.json').unlink()
    gone = demo.writer.frame_files(copy, 1, 2, False)
    gone['depth'].unlink()
    gone['image'].unlink()
    shutil.rmtree(demo.writer.drive_folder(copy, 3))
    # Two workers here and one above: the number must not matter.
    assert demo.dataset.render_set(copy, params, workers=2, progress=lambda *_: None) == 4
    assert read_all(copy) == read_all(root)


def test_stereo_pair_matches_the_depth(demo, renderer):
    cam, frame, pose = renderer.cam, renderer.render(5), renderer.scene.poses[5]
    right = renderer.image(5, demo.camera.shifted(pose, 0.54)).astype(float)
    rows, cols = np.nonzero((frame.labels == ROAD) & (frame.depth < 30))
    u = cols - cam.fx * 0.54 / frame.depth[rows, cols]
    ok = (u > 0) & (rows < cam.height - 1)
    rows, cols, u = rows[ok], cols[ok], u[ok]
    left = frame.image.astype(float)[rows, cols]
    matched = np.abs(bilinear(right, u, rows.astype(float)) - left).mean()
    assert matched < 0.6 * np.abs(right[rows, cols] - left).mean()


def test_preview_sheet(demo, rendered):
    sheet = demo.preview.contact_sheet(*rendered, per_drive=1)
    assert sheet.shape == (3 * 48, 3 * 160, 3)
    short = demo.preview.contact_sheet(*rendered, per_drive=2, most=2)
    assert short.shape == (2 * 2 * 48, 3 * 160, 3)


def test_mean_depth_of_the_training_frames(demo, rendered):
    root, params = rendered
    depth = np.load(root / 'mean_depth.npy')
    assert depth.dtype == np.float32 and depth.shape == (48, 160)
    assert depth.min() > 1 and depth.max() <= 80
    frames = []
    for index in (1, 2):
        file = demo.writer.frame_files(root, 1, index, False)['depth']
        frames.append(np.minimum(cv2.imread(str(file), -1) / 256, 80))
    for row, column in np.ndindex(48, 160):
        known = [frame[row, column] for frame in frames if frame[row, column] > 0]
        if known:
            assert depth[row, column] == pytest.approx(np.mean(known), rel=1e-6)
    assert not all((frame > 0).all() for frame in frames)


def test_mean_depth_comes_with_the_next_call(demo, rendered, tmp_path):
    root, params = rendered
    copy = tmp_path / 'copy'
    shutil.copytree(root, copy)
    (copy / 'mean_depth.npy').unlink()
    assert demo.dataset.render_set(copy, params, workers=1) == 0
    assert read_all(copy) == read_all(root)


def test_holes_are_filled_from_the_nearest_row(demo):
    depth = np.array([[0, 0, 3], [0, 0, 0], [5, 0, 0], [0, 0, 0], [7, 0, 9]], float)
    filled = demo.mean_depth.fill_holes(depth)
    # row 3 of the first column is as near to row 2 as to row 4: the lower one counts
    assert filled.T.tolist() == [[5, 5, 5, 7, 7], [80] * 5, [3, 3, 9, 9, 9]]


def test_mean_depth_refuses_what_it_cannot_read(demo, tmp_path):
    (tmp_path / 'splits').mkdir()
    (tmp_path / 'splits' / 'train_files.txt').write_text('town 1 l\n')
    with pytest.raises(FileNotFoundError, match='0000000001.png'):
        demo.mean_depth.write_mean_depth(tmp_path)
    (tmp_path / 'splits' / 'train_files.txt').write_text('town 1\n')
    with pytest.raises(ValueError, match='train_files.txt:1'):
        demo.mean_depth.write_mean_depth(tmp_path)


def test_mistakes_on_the_command_lines_are_one_sentence(demo, rendered, tmp_path, capsys):
    render, mean_depth = (load_script(name) for name in ('render', 'mean_depth'))
    (tmp_path / 'file').write_text('x')
    (tmp_path / 'set' / 'splits').mkdir(parents=True)
    listed = tmp_path / 'set' / 'splits' / 'train_files.txt'
    listed.write_bytes(b'\xff\xfe\x00')
    for script, options, words in (
        (render, ('--out', tmp_path / 'file'), 'cannot write to .*file'),
        (render, ('--out', rendered[0]), 'holds a set rendered otherwise'),
        (render, ('--out', tmp_path / 'new', '--frames', '2'), 'at least 3 frames per scene'),
        (render, ('--out', tmp_path / 'new', '--size', '8x8'), 'at least 16 pixels'),
        (render, ('--out', tmp_path / 'new', '--preview', tmp_path), 'is a folder'),
        (mean_depth, ('--data', tmp_path / 'nothing'), 'train_files.txt'),
        (mean_depth, ('--data', tmp_path / 'set'), 'train_files.txt is no text'),
    ):
        with pytest.raises(SystemExit, match=f'^error: .*{words}') as told:
            script.main([str(option) for option in options])
        assert '\n' not in str(told.value)
    assert not (tmp_path / 'new').exists()


def load_script(name):
    spec = importlib.util.spec_from_file_location(f'demo_world_{name}', PROJECT / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

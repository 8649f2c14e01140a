"""Sparse depth from three frames, against scenes of known geometry and against LiDAR."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.datasets import KITTIRawDataset
from mmscd.utils.config import load_config
from mmscd.video.triangulation import (
    MEDIAN_DEPTH,
    draw_depth,
    relative_pose,
    triangulate,
    triangulate_frame,
)

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'tools/dataset_converters/hold_out_frames.py'
DRIVE, OTHER = '2011_09_26_drive_0001_sync', '2011_09_26_drive_0002_sync'
SMALL = ('--frames', 3, '--gap', 2)
K = np.array([[360.0, 0, 239.5], [0, 360, 79.5], [0, 0, 1]])
SIZE = (480, 160)
HEIGHT, WALL = 1.6, 14.0  # metres: of the camera above the road, to the wall at its end


def project(points, T):
    seen = T[:3, :3] @ points + T[:3, 3:]
    pixels = K @ seen
    return (pixels[:2] / pixels[2]).T, seen[2]


def pose(x=0.0, z=0.0, yaw=0.0):
    """T_camera_world of a camera at (x, 0, z)."""
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0, yaw, 0]))[0]
    T[:3, 3] = -T[:3, :3] @ [x, 0, z]
    return T


def texture(seed):
    noise = np.random.default_rng(seed).uniform(0, 255, (2000, 2000)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)


TEXTURES = [texture(seed) for seed in range(3)]


def render(T, box=0.0):
    """A road, a wall, and a box 9 m ahead whose left side is at `box` metres; image and depth."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = T[:3, :3].T @ np.linalg.inv(K) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    centre = (-T[:3, :3].T @ T[:3, 3])[:, None]
    image, depth = np.zeros(x.size, np.float32), np.full(x.size, np.inf)
    for axis, offset, (u, v), source in zip(
        (1, 2, 2), (HEIGHT, WALL, 9.0), ((0, 2), (0, 1), (0, 1)), TEXTURES, strict=True
    ):
        with np.errstate(divide='ignore'):
            length = (offset - centre[axis]) / rays[axis]
        hit = centre + length * rays
        nearer = (length > 0) & (length < depth)
        if axis == 2 and offset < WALL:
            nearer &= (hit[0] > box) & (hit[0] < box + 2) & (np.abs(hit[1]) < 1)
        where = [(1000 + 80 * (hit[i] - (box if offset == 9 else 0))) for i in (u, v)]
        maps = [np.clip(w, 0, 1999).astype(np.float32).reshape(x.shape) for w in where]
        colours = cv2.remap(source, *maps, cv2.INTER_LINEAR).reshape(-1)
        image, depth = np.where(nearer, colours, image), np.where(nearer, length, depth)
    image = image.reshape(x.shape)
    return np.clip(image, 0, 255).astype(np.uint8), depth.reshape(x.shape)


def scene_points(count=300):
    low, high = np.array([[-6, -2, 5], [6, 1.6, 40]])
    return np.random.default_rng(0).uniform(low, high, (count, 3)).T


def test_known_motion_gives_pose_depth_and_parallax_of_exact_points():
    points = scene_points()
    T = pose(x=0.2, z=1.0, yaw=0.02)
    first, depth = project(points, np.eye(4))
    second, _ = project(points, T)
    found, static = relative_pose(first, second, K)
    np.testing.assert_allclose(found[:3, :3], T[:3, :3], atol=1e-4)
    np.testing.assert_allclose(found[:3, 3], T[:3, 3] / np.linalg.norm(T[:3, 3]), atol=1e-3)
    assert static.all()
    got, parallax = triangulate(first, second, K, T)
    np.testing.assert_allclose(got, depth, rtol=1e-6)
    far, _ = project(points * 1e7, T)
    np.testing.assert_allclose(parallax, np.linalg.norm(second - far, axis=1), rtol=1e-4)


def test_points_that_move_or_lie_behind_do_not_count():
    points = scene_points()
    T = pose(z=1.0)
    first, _ = project(points, np.eye(4))
    moved = points.copy()  # across their epipolar lines; along them nobody could tell
    across = np.stack([-points[1, :30], points[0, :30]])
    moved[:2, :30] += 0.5 * across / np.linalg.norm(across, axis=0)
    second, _ = project(moved, T)
    _, static = relative_pose(first, second, K)
    assert static[30:].all() and not static[:30].any()
    # seen nearer the centre although the camera went ahead: behind both
    depth, _ = triangulate(first[:5], 2 * K[:2, 2] - first[:5], K, T)
    assert np.isnan(depth).all()
    assert relative_pose(first[:7], second[:7], K) is None


def test_depth_of_a_rendered_street():
    target, truth = render(pose(), box=1.0)
    before, after = render(pose(z=-0.8), box=0.6)[0], render(pose(z=0.8), box=1.4)[0]
    pixels, depth = triangulate_frame(target, (before, after), K)
    assert len(pixels) > 150 and np.median(depth) == pytest.approx(MEDIAN_DEPTH)
    x, y = np.rint(pixels).astype(int).T
    expected = truth[y, x]
    error = np.abs(depth / np.median(depth / expected) / expected - 1)
    assert np.median(error) < 0.01 and np.mean(error > 0.1) < 0.03
    # the box moves: hardly anything of it is left, though its texture is as good as the wall's
    box = truth == 9.0
    assert box.sum() > 2000 and box[y, x].mean() < 0.2 * box.mean()
    # a camera that stands still, frames without texture
    assert not len(triangulate_frame(target, (target, target), K)[0])
    assert not len(triangulate_frame(target * 0, (target * 0, target * 0), K)[0])


def test_nearest_point_of_a_pixel_is_drawn():
    drawn = draw_depth(np.array([[1.2, 0.4], [1.4, 0.0], [3, 2]]), np.array([5.0, 4, 9]), (5, 3))
    expected = np.zeros((3, 5), np.float32)
    expected[0, 1], expected[2, 3] = 4, 9
    np.testing.assert_array_equal(drawn, expected)


@pytest.fixture(scope='module')
def street(tmp_path_factory):
    """KITTI raw with two drives of 12 frames of the street above."""
    root = tmp_path_factory.mktemp('street')
    P = ' '.join(map(str, np.hstack([K, np.zeros((3, 1))]).reshape(-1)))
    text = f'S_rect_02: {SIZE[0]} {SIZE[1]}\nP_rect_02: {P}\n'
    for i, drive in enumerate((DRIVE, OTHER)):
        images = root / '2011_09_26' / drive / 'image_02/data'
        images.mkdir(parents=True)
        for frame in range(12):
            image = render(pose(x=i, z=0.8 * frame - 6))[0]
            cv2.imwrite(str(images / f'{frame:010d}.png'), cv2.merge([image] * 3))
    (root / '2011_09_26/calib_cam_to_cam.txt').write_text(text)
    return root


def open_held_out(root, out):
    options = dict(gt='improved', improved_gt_root=str(out), test_mode=True, pipeline=[])
    return KITTIRawDataset(str(root), f'{out}/val_files.txt', (0,), **options)


def test_tool_holds_the_end_of_a_drive_out(street, tmp_path, run_tool):
    drives = ['--train', DRIVE, OTHER, '--drive', DRIVE]
    run_tool(TOOL, street, tmp_path, *drives, *SMALL)
    lines = (tmp_path / 'train_files.txt').read_text().splitlines()
    # frames 1 to 10 have both neighbours; of the drive 9, 10, 8 are held out and 6, 7 left out
    wanted = [(DRIVE, i) for i in range(1, 6)] + [(OTHER, i) for i in range(1, 11)]
    assert sorted(lines) == [f'2011_09_26/{drive} {i:010d} l' for drive, i in wanted]
    held_out = open_held_out(street, tmp_path)
    assert [info['frame'] for info in map(held_out.get_data_info, range(3))] == [8, 9, 10]
    for i, frame in enumerate((8, 9, 10)):
        depth = held_out.load_gt_depth(held_out.get_data_info(i))
        known = depth > 0
        ratio = depth[known] / render(pose(z=0.8 * frame - 6))[1][known]
        # far off, a tenth of a pixel is some percent of what a wall moves
        assert known.sum() > 100 and np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.06
    options = dict(o.split('=') for o in (tmp_path / 'options.txt').read_text().split())
    cfg = load_config(str(ROOT / 'configs/scd/scd_r18_kitti-mini.py'), options)
    assert cfg.train_dataloader.dataset.ann_file == f'{tmp_path}/train_files.txt'
    for part in (cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        assert (part.gt, part.improved_gt_root) == ('improved', str(tmp_path))


def test_tool_trains_on_nothing_of_a_drive_that_is_not_asked_for(street, tmp_path, run_tool):
    run_tool(TOOL, street, tmp_path, '--train', OTHER, '--drive', DRIVE, *SMALL)
    parts = [(tmp_path / f'{part}_files.txt').read_text().split() for part in ('train', 'val')]
    assert [set(part[::3]) for part in parts] == [
        {f'2011_09_26/{OTHER}'},
        {f'2011_09_26/{DRIVE}'},
    ]
    assert [sorted(map(int, part[1::3])) for part in parts] == [[*range(1, 11)], [8, 9, 10]]


def test_tool_says_what_is_wrong(street, tmp_path, run_tool):
    drives = ['--train', DRIVE, '--drive', DRIVE]
    result = run_tool(TOOL, street, tmp_path / 'out', *drives, '--frames', 9, check=False)
    assert '10 frames with both neighbours, too few to hold 9 out' in result.stderr
    still = tmp_path / 'still'
    shutil.copytree(street, still)
    images = sorted((still / '2011_09_26' / DRIVE / 'image_02/data').glob('*'))
    for image in images[1:]:
        shutil.copy(images[0], image)
    result = run_tool(TOOL, still, tmp_path / 'out', *drives, *SMALL, check=False)
    assert result.returncode == 1 and 'the camera stands still' in result.stderr
    assert not (tmp_path / 'out').exists()


def test_points_agree_with_lidar(mmscd_data, tmp_path, run_tool):
    drive = '2011_09_26_drive_0013_sync'
    root = mmscd_data / 'kitti_raw'
    options = ('--train', drive, '--drive', drive, '--frames', 4, '--gap', 10, '--check')
    numbers = run_tool(TOOL, root, tmp_path, *options).stdout.split('against LiDAR: ')[1].split()
    assert int(numbers[0]) > 100  # points a frame
    assert float(numbers[-1]) < 0.05  # median relative error
    held_out = open_held_out(root, tmp_path)
    depth = held_out.load_gt_depth(held_out.get_data_info(0))
    assert len(held_out) == 4 and (depth > 0).sum() > 200
    assert np.median(depth[depth > 0]) == pytest.approx(MEDIAN_DEPTH, rel=0.02)

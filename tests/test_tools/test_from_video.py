"""From a video to a data set that trains: the command line, on made-up and on real frames."""

import json

import cv2
import numpy as np
import pytest
import yaml

from mmscd.registry import DATASETS
from mmscd.utils.config import load_config

TOOL = 'tools/dataset_converters/from_video.py'
SIZE = (320, 120)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A drive by a wall: 12 moving frames, 8 standing, 12 moving, a cut, 10 moving."""
    rng = np.random.default_rng(0)
    walls = [cv2.GaussianBlur(rng.uniform(0, 255, (120, 900, 3)), (0, 0), 2) for _ in range(2)]
    walls = [cv2.normalize(w, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8) for w in walls]
    places = [*range(12), *[11] * 8, *range(12, 24)]
    frames = [walls[0][:, 6 * p : 6 * p + 320] for p in places]
    frames += [walls[1][:, 6 * p : 6 * p + 320] for p in range(10)]
    path = tmp_path_factory.mktemp('video') / 'wall.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, SIZE)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def test_video_to_data_set(video, run_tool, tmp_path):
    out = tmp_path / 'out'
    first = run_tool(TOOL, video, '--hfov', 60, '--out', out, '--crop', 0, 0, 300, 100)
    assert 'kept 34 of 42 frames in 2 sequence(s), 300x100' in first.stdout
    kept = sorted(str(p.relative_to(out / 'frames/wall')) for p in out.glob('frames/*/*/*.jpg'))
    expected = [f'part_000/{i:010d}.jpg' for i in [*range(12), *range(20, 32)]]
    assert kept == expected + [f'part_001/{i:010d}.jpg' for i in range(32, 42)]
    camera = yaml.safe_load((out / 'intrinsics.yaml').read_text())
    focal = 160 / np.tan(np.radians(30))
    assert camera == dict(
        fx=pytest.approx(focal), fy=pytest.approx(focal), cx=159.5, cy=59.5, width=300, height=100
    )
    cfg = load_config(str(out / 'monodepth2_r18.py'))
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 22 + 8
    width, height = cfg.img_size
    for steps in (cfg.test_pipeline, cfg.train_dataloader.dataset.pipeline):
        assert tuple(steps[1]['size']) == (width, height)
    assert width % 32 == height % 32 == 0 and width / height == pytest.approx(3, rel=0.1)
    # again: nothing is done; otherwise: refused, and what is there stays
    stamp = (out / 'frames/wall').stat().st_mtime_ns
    again = run_tool(TOOL, video, '--hfov', 60, '--out', out, '--crop', 0, 0, 300, 100)
    assert 'already complete (34 frames)' in again.stdout
    other = run_tool(TOOL, video, '--hfov', 70, '--out', out, check=False)
    assert other.returncode == 1 and 'was made with other options' in other.stderr
    assert (out / 'frames/wall').stat().st_mtime_ns == stamp


def test_stride_distortion_and_a_folder(video, run_tool, tmp_path):
    frames = tmp_path / 'raw'
    frames.mkdir()
    capture = cv2.VideoCapture(str(video))
    for i in range(12):
        cv2.imwrite(str(frames / f'{i}.png'), capture.read()[1])
    calibration = tmp_path / 'cameras.txt'
    calibration.write_text('1 RADIAL 640 240 500 320 120 -0.1 0.0\n')
    out = tmp_path / 'out'
    args = (TOOL, frames, '--colmap', calibration, '--out', out, '--stride', 3, '--max-width', 160)
    refused = run_tool(*args, check=False)
    assert 'cameras.txt is for 640x240, the video is 320x120' in refused.stderr
    result = run_tool(*args, '--scale-intrinsics', '--no-lint')
    assert 'kept 4 of 12 frames in 1 sequence(s), 160x60' in result.stdout
    names = sorted(p.name for p in out.glob('frames/raw/part_000/*'))
    assert names == [f'{i:010d}.jpg' for i in (0, 3, 6, 9)]
    camera = yaml.safe_load((out / 'intrinsics.yaml').read_text())
    # barrel distortion: the undistorted image keeps a wider view, so a shorter focal length
    assert 0.9 * 125 < camera['fx'] < 125 and camera['cx'] == pytest.approx(79.5)
    assert cv2.imread(str(out / 'frames/raw/part_000/0000000003.jpg')).shape == (60, 160, 3)


@pytest.mark.parametrize('make, message', [
    (lambda p: p.write_bytes(b'no video' * 100), 'cannot be decoded'),
    (lambda p: None, 'there is no video'),
    (lambda p: p.mkdir(), 'has no frames'),
])  # fmt: skip
def test_bad_input(make, message, run_tool, tmp_path):
    path = tmp_path / 'bad.mp4'
    make(path)
    result = run_tool(TOOL, path, '--hfov', 60, '--out', tmp_path / 'out', check=False)
    assert result.returncode == 1 and message in result.stderr
    assert 'Traceback' not in result.stderr and not (tmp_path / 'out').exists()


def test_a_camera_that_stands(video, run_tool, tmp_path):
    out = tmp_path / 'out'
    capture = cv2.VideoCapture(str(video))
    still = capture.read()[1]
    folder = tmp_path / 'still'
    folder.mkdir()
    for i in range(6):
        cv2.imwrite(str(folder / f'{i}.png'), still)
    result = run_tool(TOOL, folder, '--hfov', 60, '--out', out, check=False)
    assert result.returncode == 1 and 'the camera hardly moves' in result.stderr


def test_fog_frames(mmscd_data, run_tool, tmp_path):
    """Real frames of a rolling-shutter camera in rain, with its calibration (distorted)."""
    source = mmscd_data / 'adverse/radiate_fog'
    camera = yaml.safe_load((source / 'default-calib.yaml').read_text())['left_cam_calib']
    K = [camera['fx'], 0, camera['cx'], 0, camera['fy'], camera['cy'], 0, 0, 1]
    calibration = tmp_path / 'camera.yaml'
    stored = dict(image_width=672, image_height=376, camera_matrix=dict(data=K))
    stored['distortion_coefficients'] = dict(data=[camera[k] for k in ('k1', 'k2', 'p1', 'p2')])
    calibration.write_text(yaml.safe_dump(stored))
    out = tmp_path / 'out'
    result = run_tool(TOOL, source / 'zed_left', '--opencv', calibration, '--out', out)
    manifest = json.loads((out / 'zed_left.json').read_text())
    assert manifest['read'] == 50 and manifest['sequences'] == 1 and 25 <= manifest['kept'] < 50
    assert 'WARNING (rolling_shutter)' in result.stdout
    cfg = load_config(str(out / 'monodepth2_r18.py'))
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == manifest['kept'] - 2


def test_kitti_frames_as_a_video(mmscd_data, run_tool, tmp_path):
    frames = mmscd_data / 'kitti_raw/2011_09_26/2011_09_26_drive_9001_sync/image_02/data'
    images = [cv2.imread(str(p)) for p in sorted(frames.iterdir())[:40]]
    path = tmp_path / 'kitti.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (1242, 375))
    for image in images[:20] + images[19:20] * 10 + images[20:]:
        writer.write(image)
    writer.release()
    intrinsics = tmp_path / 'camera.yaml'
    intrinsics.write_text(
        'fx: 721.5377\nfy: 721.5377\ncx: 609.5593\ncy: 172.854\nwidth: 1242\nheight: 375\n'
    )
    # some builds of OpenCV round odd heights down
    args = ('--intrinsics', intrinsics, '--scale-intrinsics', '--out', tmp_path / 'out')
    result = run_tool(TOOL, path, *args)
    manifest = json.loads((tmp_path / 'out/kitti.json').read_text())
    assert manifest['read'] == 50 and 30 <= manifest['kept'] <= 40
    assert manifest['sequences'] == 1 and 'nothing serious found' in result.stdout
    lint = run_tool(
        'tools/misc/lint_video.py', path, '--intrinsics', tmp_path / 'out/intrinsics.yaml',
        check=False,
    )  # fmt: skip
    assert lint.returncode == 1 and 'WARNING (static)' in lint.stdout

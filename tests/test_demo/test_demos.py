"""The demos as commands: results, exit codes, Ctrl-C, a full disk, and the notebook."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.datasets.formats.videos import count_video_frames
from mmscd.inference.video_writer import DiskFullError, VideoWriter

ROOT = Path(__file__).parents[2]
IMAGE_DEMO, VIDEO_DEMO = ROOT / 'demo/image_demo.py', ROOT / 'demo/video_demo.py'


@pytest.fixture(scope='module')
def model(tiny_config, tiny_weights):
    return ['--model', tiny_config, '--weights', tiny_weights, '--device', 'cpu']


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1.5 MiB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=1536k', 'tmpfs', str(folder)]
    if shutil.which('mount') is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip('mounting a tmpfs takes rights that this user has not')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_images(run_tool, model, street, tmp_path):
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / name), street[0])
    out = tmp_path / 'out'
    one = run_tool(IMAGE_DEMO, tmp_path / 'a.png', *model, '--out-dir', out, '--save', 'npy')
    assert one.stdout.splitlines()[-1] == f'{out}/npy/a.npy'
    (tmp_path / 'c.jpg').write_text('text')
    folder = run_tool(IMAGE_DEMO, tmp_path, *model, '--out-dir', out, check=False)
    assert folder.returncode == 1
    assert folder.stdout.splitlines()[-1] == f'2 inputs: color in {out}'
    lines = folder.stderr.splitlines()
    assert lines[-2] == '1 inputs failed:' and f'{tmp_path}/c.jpg is truncated' in lines[-1]
    assert sorted(p.name for p in (out / 'color').iterdir()) == ['a.png', 'b.png']


def test_errors_are_one_sentence(run_tool, model, tmp_path):
    cases = [
        (['x.png', *model, '--save', 'ply'], 'a point cloud needs the camera'),
        (['x.png', *model, '--camera-height', '1.65'], 'by camera height needs the camera'),
        (['x.png', '--model', 'nothing', '--weights', 'w'], "there is no model 'nothing'"),
    ]
    for arguments, text in cases:
        result = run_tool(IMAGE_DEMO, *arguments, check=False, cwd=tmp_path)
        errors = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
        assert result.returncode == 1 and len(errors) == 1 and text in errors[0]
        assert 'Traceback' not in result.stderr + result.stdout


def interrupt(arguments, ready):
    """Start a command, press Ctrl-C when `ready()`, return (exit code, output)."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=60)[0]
    return process.returncode, text


def test_ctrl_c_in_a_video(model, long_video, tmp_path):
    arguments = [VIDEO_DEMO, long_video, *model, '--out-dir', tmp_path, '--save', 'video', 'npy']
    maps = tmp_path / 'npy/drive'
    code, text = interrupt(arguments, lambda: maps.is_dir() and len([*maps.glob('0*.npy')]) >= 20)
    assert code == 130, text
    assert 'Traceback' not in text
    assert f'in {tmp_path} are whole' in text and 'stopped by Ctrl-C' in text
    (video,) = (tmp_path / 'video').iterdir()  # neither the whole one nor a temporary file
    frames = count_video_frames(video)
    assert video.name == f'drive_first_{frames}_frames.mp4' and 20 <= frames < 400
    stored = sorted(maps.iterdir())
    assert len(stored) in (frames, frames + 1)  # between the two writes
    assert all(np.load(path).shape == (80, 160) for path in stored)


def test_a_full_disk(run_tool, model, long_video, street, tiny_disk):
    video = run_tool(VIDEO_DEMO, long_video, *model, '--out-dir', tiny_disk, check=False)
    assert video.returncode == 1
    error = video.stderr.splitlines()[-1]
    assert error.startswith('error: cannot go on writing') and 'no space left' in error
    assert 'Traceback' not in video.stderr
    (left,) = (tiny_disk / 'video').iterdir()
    frames = count_video_frames(left)
    assert 0 < frames < 400 and left.name == f'drive_first_{frames}_frames.mp4'

    paths = []
    for i in range(14):
        paths.append(tiny_disk.parent / f'{i:02d}.png')
        cv2.imwrite(str(paths[-1]), np.tile(street[i], (4, 4, 1)))
    images = run_tool(
        *(IMAGE_DEMO, *paths, *model, '--out-dir', tiny_disk, '--save', 'npy'), check=False
    )
    assert images.returncode == 1
    error = images.stderr.splitlines()[-1]
    assert error.startswith('error: cannot write') and 'No space left on device' in error
    written = sorted(tiny_disk.glob('npy/*'))
    assert f'{len(written)} files of this run are whole' in error
    assert written and all(np.load(path).shape == (320, 640) for path in written)
    assert not [*tiny_disk.rglob('.*')]


def test_video_writer_watches_the_space(tmp_path, monkeypatch):
    frame = np.zeros((48, 65, 3), np.uint8)
    writer = VideoWriter(tmp_path / 'new' / 'a.mp4', 10)
    for _ in range(5):
        writer.write(frame)
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: free)
    with pytest.raises(DiskFullError, match='no space left'):
        writer.write(frame)
    assert not (tmp_path / 'new/a.mp4').exists()
    assert writer.close() == tmp_path / 'new/a.mp4'
    assert count_video_frames(tmp_path / 'new/a.mp4') == 5
    monkeypatch.undo()
    # a file that the encoder did not finish is not passed off as a video
    broken = VideoWriter(tmp_path / 'b.mp4', 10)
    broken.write(frame)
    broken.written = 3
    with pytest.raises(OSError, match='3 frames were encoded, the file has 1'):
        broken.close()
    assert [p.name for p in tmp_path.iterdir()] == ['new']
    assert VideoWriter(tmp_path / 'c.mp4', 10).close() is None


@pytest.mark.slow
def test_the_notebook_runs_as_it_stands(tmp_path):
    cells = json.loads((ROOT / 'demo/inference.ipynb').read_text())['cells']
    code = [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']
    assert not [cell for cell in cells if cell.get('outputs')]
    script = tmp_path / 'notebook.py'
    script.write_text('\n'.join(code))
    environment = os.environ | dict(MPLBACKEND='agg', TMPDIR=str(tmp_path))
    result = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT / 'demo',
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]

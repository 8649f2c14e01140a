"""What a data set of an own video is made of, without the command line."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.utils.config import load_config
from mmscd.video.convert import VideoConverter
from mmscd.video.frame_camera import FrameCamera, read_calibration
from mmscd.video.training_config import input_size, write_config

calibrate = partial(read_calibration, hfov=90)


def test_a_truncated_frame_is_refused_and_leaves_nothing(tmp_path):
    folder = tmp_path / 'drive'
    folder.mkdir()
    wall = np.random.default_rng(0).integers(0, 255, (60, 200, 3), dtype=np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 2)
    for i in range(4):
        cv2.imwrite(str(folder / f'{i}.jpg'), wall[:, 4 * i : 4 * i + 160])
    data = (folder / '2.jpg').read_bytes()
    (folder / '2.jpg').write_bytes(data[: len(data) // 2])
    convert = VideoConverter(tmp_path / 'out', calibrate)
    with pytest.raises(OSError, match='2.jpg'):
        convert([folder])
    assert not (tmp_path / 'out/frames/drive').exists()
    (folder / '2.jpg').unlink()
    assert convert([folder]) == tmp_path / 'out/monodepth2_r18.py'
    assert [p.name for p in (tmp_path / 'out/frames').iterdir()] == ['drive']


def test_frames_of_two_sizes_are_refused(tmp_path):
    for i, width in enumerate((160, 160, 120)):
        picture = np.random.default_rng(0).integers(0, 255, (60, width, 3), dtype=np.uint8)
        (tmp_path / 'drive').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f'drive/{i}.jpg'), picture)
    with pytest.raises(ValueError, match='drive: frame 2 is 120x60, those before 160x60'):
        VideoConverter(tmp_path / 'out', calibrate)([tmp_path / 'drive'])


def test_numbers_out_of_range_are_refused(tmp_path):
    for options in (dict(motion=100), dict(stride=0), dict(quality=0), dict(max_width=8)):
        with pytest.raises(ValueError, match='--'):
            VideoConverter(tmp_path, calibrate, **options)
    with pytest.raises(ValueError, match='give intrinsics, hfov, colmap or opencv'):
        read_calibration((640, 480))
    with pytest.raises(ValueError, match='does not lie inside frames of 640x480'):
        FrameCamera(calibrate((640, 480)), (0, 0, 641, 480), 1280)


def test_the_camera_follows_crop_and_shrink():
    camera = FrameCamera(calibrate((640, 480)), (40, 80, 600, 480), 280)
    assert camera.size == (280, 200)
    # 90 degrees: fx is half of the width; half of the size, half-pixel convention
    assert camera.K[0] == pytest.approx([160, 0, (319.5 - 40 + 0.5) / 2 - 0.5])
    assert camera.K[1] == pytest.approx([0, 160, (239.5 - 80 + 0.5) / 2 - 0.5])
    picture = camera.picture(np.zeros((480, 640, 3), np.uint8), 'a.mp4')
    assert picture.shape == (200, 280, 3)
    with pytest.raises(ValueError, match='a.mp4: a frame of 32x24 among frames of 640x480'):
        camera.picture(np.zeros((24, 32, 3), np.uint8), 'a.mp4')


def test_sizes_of_the_input_keep_the_aspect_ratio():
    assert input_size((1242, 375)) == (640, 192)
    for size in ((1920, 1080), (640, 480), (300, 100)):
        width, height = input_size(size)
        assert width % 32 == height % 32 == 0
        assert width / height == pytest.approx(size[0] / size[1], rel=0.1)


@pytest.mark.parametrize('name', ["o'brien", 'a"b\'c', 'back\\slash', 'line\nbreak', 'a blank'])
def test_the_config_of_a_folder_of_any_name_is_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = tmp_path / name / 'frames/drive/part_000'
    frames.mkdir(parents=True)
    for i in range(3):
        (frames / f'{i}.jpg').touch()
    path = write_config(Path(name), (640, 192))
    dataset = load_config(str(path)).train_dataloader.dataset
    assert dataset.data_root == str(tmp_path / name / 'frames')
    assert dataset.intrinsics == str(tmp_path / name / 'intrinsics.yaml')


def test_a_folder_that_configs_would_replace_is_refused(tmp_path):
    frames = tmp_path / '{{ fileDirname }}' / 'frames/drive/part_000'
    frames.mkdir(parents=True)
    for i in range(3):
        (frames / f'{i}.jpg').touch()
    with pytest.raises(ValueError, match='rename the folder'):
        write_config(tmp_path / '{{ fileDirname }}', (640, 192))

"""FolderDepthDataset: folders of frames, video files, intrinsics in yaml."""

import errno
import math
import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from mmscd.datasets import FolderDepthDataset
from mmscd.datasets.formats.camera_file import CameraFile
from mmscd.datasets.formats.video_frames import extract_frames

CAMERA = 'fx: 50\nfy: 52\ncx: 31.5\ncy: 19.5\nwidth: 64\nheight: 40\n'
PIPELINE = [dict(type='LoadFrames'), dict(type='PackDepthInputs')]


def frame(value, size=(64, 40)):
    return np.full((size[1], size[0], 3), value, np.uint8)


@pytest.fixture
def video_folder(tmp_path):
    """Frames frame1..frame12 (grey value 10 n) without padding, and intrinsics."""
    root = tmp_path / 'drive'
    root.mkdir()
    for number in range(1, 13):
        cv2.imwrite(str(root / f'frame{number}.png'), frame(10 * number))
    (root / 'intrinsics.yaml').write_text(CAMERA)
    return root


def grey(dataset, index):
    return [int(f[0, 0, 0]) // 10 for f in dataset[index]['inputs']['frames']]


def test_natural_order_and_ends(video_folder):
    dataset = FolderDepthDataset(video_folder, pipeline=PIPELINE)
    assert len(dataset) == 10 and 'gt_depth' not in dataset[0]['data_samples']
    assert [grey(dataset, i) for i in (0, 8, 9)] == [[2, 1, 3], [10, 9, 11], [11, 10, 12]]
    assert dataset[0]['inputs']['K'].tolist() == [[50, 0, 31.5], [0, 52, 19.5], [0, 0, 1]]
    test = FolderDepthDataset(video_folder, frame_ids=(0,), pipeline=PIPELINE, test_mode=True)
    assert len(test) == 12 and grey(test, 11) == [12]


def test_stride_and_sequences(video_folder):
    dataset = FolderDepthDataset(video_folder, stride=3, pipeline=PIPELINE)  # 1 4 7 10
    assert [grey(dataset, i) for i in range(len(dataset))] == [[4, 1, 7], [7, 4, 10]]
    for name in ('seq2', 'seq10', '.hidden'):
        (video_folder / name).mkdir()
        for number in range(3):
            cv2.imwrite(str(video_folder / name / f'{number}.png'), frame(200))
    dataset = FolderDepthDataset(video_folder)
    assert [info['sequence'] for info in dataset] == ['.'] * 10 + ['seq2', 'seq10']


def test_ground_truth(video_folder, tmp_path):
    gt_root = video_folder / 'depth'  # below the frames, and no sequence
    gt_root.mkdir()
    options = dict(frame_ids=(0,), pipeline=PIPELINE, test_mode=True, gt_root=gt_root)
    for number in range(1, 13):
        stored = np.full((40, 64), 100 * number, np.uint16)
        cv2.imwrite(str(gt_root / f'frame{number}.png'), stored)
    dataset = FolderDepthDataset(video_folder, gt_scale=100, **options)
    assert len(dataset) == 12
    assert (dataset[4]['data_samples'].gt_depth.data == 5).all()
    # another aspect ratio shows something else; another size alone does not
    for size, fits in (((32, 20), True), ((63, 40), True), ((60, 36), False), ((40, 64), False)):
        stored = np.full(size[::-1], 256, np.uint16)
        cv2.imwrite(str(gt_root / 'frame5.png'), stored)
        if fits:
            assert dataset[4]['data_samples'].gt_depth.shape == size[::-1]
            continue
        told = rf'depth/frame5\.png is {size[0]}x{size[1]}, but .*/frame5\.png is 64x40'
        with pytest.raises(ValueError, match=told):
            dataset[4]
    (gt_root / 'frame3.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'no frame3\.png in .*depth'):
        FolderDepthDataset(video_folder, **options)
    assert len(FolderDepthDataset(video_folder, missing='drop', **options)) == 11


@pytest.mark.parametrize(
    'text, message',
    [
        (CAMERA.replace('fy: 52\n', ''), r"lacks \['fy'\]; write `fx: 721.5`"),
        (CAMERA + 'k1: 0.1\n', r"unknown keys \['k1'\]"),
        (CAMERA.replace('50', '-50'), 'fx must be positive, got -50'),
        (CAMERA.replace('50', 'fifty'), "fx must be positive, got 'fifty'"),
        (CAMERA.replace('50', '.nan'), 'fx must be positive, got nan'),
        (CAMERA.replace('31.5', '.inf'), 'cx must be a number, got inf'),
        (CAMERA + 'hfov_deg: 90\n', 'keep one of the two'),
        ('hfov_deg: 190\n', 'below 180, got 190'),
        ('hfov_deg: 90\nwidth: 64\n', r"lacks \['height'\]"),
        ('', 'no `key: value` lines'),
        (CAMERA.replace('50', 'true'), 'fx must be positive, got True'),
        (CAMERA.replace('50', '0x' + 'f' * 5000), 'fx must be positive, got a number of thous'),
        ('? 0x' + 'f' * 5000 + '\n: 1', 'unknown keys'),
        (CAMERA + 'fx: 51', "the key 'fx' comes twice"),
        ('fx: [1\n', 'is not yaml'),
        (CAMERA.replace('64', '128'), 'is for 128x40, the images are 64x40: .*scale_intrinsics'),
    ],
)
def test_bad_intrinsics(video_folder, text, message):
    (video_folder / 'intrinsics.yaml').write_text(text)
    with pytest.raises(ValueError, match=f'(?s)intrinsics.yaml.*{message}'):
        FolderDepthDataset(video_folder)


@pytest.mark.parametrize('cx', [103.5, -0.5, -40])
def test_the_principal_point_may_lie_outside_of_a_crop(video_folder, cx, caplog):
    (video_folder / 'intrinsics.yaml').write_text(CAMERA.replace('31.5', str(cx)))
    with caplog.at_level('WARNING'):
        K = FolderDepthDataset(video_folder)[0]['K_ori']
    assert K.tolist() == [[50, 0, cx], [0, 52, 19.5], [0, 0, 1]]


def test_a_camera_of_other_images_is_told(video_folder, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmscd.datasets.formats.camera_file.print_log', lambda text, *_: said.append(text)
    )
    # of images of twice the size
    (video_folder / 'intrinsics.yaml').write_text(CAMERA.replace('31.5', '63').replace('50', '99'))
    for _ in range(2):
        FolderDepthDataset(video_folder)
    assert len(said) == 1 and 'intrinsics.yaml: the principal point (63, 19.5) lies far' in said[0]


@pytest.mark.parametrize(
    'text',
    [
        'fx: 0.58\nfy: 1.92\ncx: 0.5\ncy: 0.5\nwidth: 64\nheight: 40\n',  # normalised
        CAMERA.replace('50', '2.4').replace('52', '2.4'),  # millimetres
    ],
)
def test_a_camera_that_is_not_in_pixels_is_refused(video_folder, text):
    (video_folder / 'intrinsics.yaml').write_text(text)
    with pytest.raises(ValueError, match='intrinsics.yaml: focal lengths .* no pixels of 64x40'):
        FolderDepthDataset(video_folder)


def test_width_and_height_that_are_swapped_are_told(video_folder, monkeypatch):
    said = []
    monkeypatch.setattr('mmscd.datasets.base.print_log', lambda text, *_, **__: said.append(text))
    for size in ((96, 64), (64, 64)):
        FolderDepthDataset(video_folder, pipeline=[dict(type='ResizeFrames', size=size)])
    assert not said
    FolderDepthDataset(video_folder, pipeline=[dict(type='ResizeFrames', size=(64, 96))])
    assert '.png is 64x40, and is resized to 64x96: sizes are (width, height)' in said[0]


def test_intrinsics_by_field_of_view_and_scaled(video_folder, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('hfov_deg: 90\n')
    K = FolderDepthDataset(video_folder, str(path))[0]['K_ori']
    assert np.allclose(K, [[32, 0, 31.5], [0, 32, 19.5], [0, 0, 1]])
    # the border of the image is seen under half the angle
    assert math.atan((63.5 - K[0, 2]) / K[0, 0]) == pytest.approx(math.pi / 4)
    path.write_text('fx: 100\nfy: 104\ncx: 63.5\ncy: 39.5\nwidth: 128\nheight: 80\n')
    K = FolderDepthDataset(video_folder, str(path), scale_intrinsics=True)[0]['K_ori']
    assert np.allclose(K, [[50, 0, 31.5], [0, 52, 19.5], [0, 0, 1]])
    with pytest.raises(FileNotFoundError, match='gone.yaml does not exist; write `fx'):
        CameraFile(tmp_path / 'gone.yaml')


def test_bad_folders(video_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='no target frames .*of .12. frames'):
        FolderDepthDataset(video_folder, stride=12)
    with pytest.raises(ValueError, match='stride must be'):
        FolderDepthDataset(video_folder, stride=0)
    with pytest.raises(ValueError, match='no stereo partner'):
        FolderDepthDataset(video_folder, frame_ids=(0, 's'))
    with pytest.raises(ValueError, match='needs gt_root'):
        FolderDepthDataset(video_folder, with_gt=True)
    with pytest.raises(ValueError, match='ann_file is not used'):
        FolderDepthDataset(video_folder, ann_file='x.txt')
    cv2.imwrite(str(video_folder / 'frame5.png'), frame(0, (60, 40)))
    dataset = FolderDepthDataset(video_folder, pipeline=PIPELINE)
    with pytest.raises(ValueError, match=r'frame5.png has \(60, 40\)'):
        dataset[3]


def test_two_images_of_one_name_are_refused(video_folder):
    twin = next(video_folder.glob('*.png'))
    cv2.imwrite(str(twin.with_suffix('.jpg')), frame(0))
    with pytest.raises(ValueError, match=rf'{twin.stem}\.\w+ and .*would be two frames: keep one'):
        FolderDepthDataset(video_folder)


@pytest.fixture
def video_file(tmp_path):
    """Twelve frames of grey value 20 n; None where OpenCV cannot write video."""
    path = tmp_path / 'my drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 40))
    if not writer.isOpened():
        pytest.skip('this build of OpenCV writes no video')
    for number in range(12):
        writer.write(frame(20 * number))
    writer.release()
    (tmp_path / 'intrinsics.yaml').write_text(CAMERA)
    return path


@pytest.mark.parametrize('cache_format', ['jpg', 'png'])
def test_video_file(video_file, tmp_path, cache_format):
    options = dict(pipeline=PIPELINE, cache_dir=tmp_path / 'cache', cache_format=cache_format)
    dataset = FolderDepthDataset(video_file, **options)
    assert len(dataset) == 10
    values = dataset[4]['inputs']['frames'].float().mean((1, 2, 3))
    assert values.tolist() == pytest.approx([100, 80, 120], abs=3)
    # a second start decodes nothing
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'cache').rglob('*')}
    FolderDepthDataset(video_file, **options)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / 'cache').rglob('*')}
    assert len(FolderDepthDataset(video_file, stride=4, frame_ids=(0,), **options)) == 3


def test_video_beside_and_interrupted(video_file):
    folder = extract_frames(video_file)
    assert folder.parent.name == 'my drive_frames'
    (folder / 'manifest.json').unlink()  # as if something had been left half done
    (folder / '0000000003.jpg').unlink()
    assert extract_frames(video_file) == folder and len(list(folder.iterdir())) == 13
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_broken_video(tmp_path):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(b'nothing that is a video' * 100)
    (tmp_path / 'intrinsics.yaml').write_text(CAMERA)
    with pytest.raises(OSError, match='broken.mp4 cannot be decoded'):
        FolderDepthDataset(path)
    (tmp_path / 'notes.txt').write_text('x')
    with pytest.raises(ValueError, match='neither a folder nor a video'):
        FolderDepthDataset(tmp_path / 'notes.txt')


def test_a_full_disk_is_said_and_leaves_nothing(video_file, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match=r'0000000000.jpg: No space left .* are free'):
        extract_frames(video_file)
    assert not list((video_file.parent / 'my drive_frames').iterdir())


def test_video_race(video_file):
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(extract_frames, [video_file] * 3))
    assert len(set(folders)) == 1 and len(list(folders[0].glob('*.jpg'))) == 12
    assert list(folders[0].parent.iterdir()) == [folders[0]]

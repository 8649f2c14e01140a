"""What the inferencer reads: images of all kinds, folders, patterns, videos, generators."""

import struct

import cv2
import numpy as np
import PIL.Image
import pytest

from mmscd.datasets.formats.images import read_image
from mmscd.datasets.formats.videos import Video
from mmscd.inference.images import as_rgb
from mmscd.inference.inputs import FrameReader, count_frames, count_images, make_batches

RNG = np.random.default_rng(0)
SMOOTH = cv2.GaussianBlur(RNG.uniform(0, 255, (40, 60, 3)), (0, 0), 4)
RGB = cv2.normalize(SMOOTH, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def write(path, rgb):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


@pytest.fixture
def video(tmp_path):
    """20 frames of 64x48, frame i has the mean 20 + 10 i, as MJPEG in an .avi."""
    path = tmp_path / 'drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    texture = np.tile(np.indices((48, 64)).sum(0)[..., None] % 2 * 40 - 20, 3)
    for i in range(20):
        writer.write((20 + 10 * i + texture).astype(np.uint8))
    writer.release()
    return path


def frames_of(inputs, **options):
    return list(FrameReader(inputs, **options))


def test_arrays_of_all_kinds():
    assert (as_rgb(RGB) == RGB).all()
    assert (as_rgb(RGB[::-1, ::-1]) == RGB[::-1, ::-1]).all()
    grey = RGB[..., 0]
    for image in (grey, grey[..., None]):
        assert (as_rgb(image) == np.stack([grey] * 3, axis=-1)).all()
    rgba = np.dstack([RGB, np.full(grey.shape, 7, np.uint8)])
    assert (as_rgb(rgba) == RGB).all()
    # 65535 is white, 0 black, and 257 v is v
    assert (as_rgb(RGB.astype(np.uint16) * 257) == RGB).all()
    assert as_rgb(np.full((1, 1), 65535, np.uint16)).tolist() == [[[255, 255, 255]]]


def test_pil_images():
    image = pytest.importorskip('PIL.Image')
    assert (as_rgb(image.fromarray(RGB)) == RGB).all()
    assert as_rgb(image.fromarray(RGB).convert('P')).shape == RGB.shape
    deep = image.fromarray(np.full((2, 3), 257 * 9, np.uint16))
    assert (as_rgb(deep) == 9).all()
    for kind in (np.int32, np.float32):  # of 16 bits as Pillow once read them; of [0, 1]
        with pytest.raises(TypeError, match=f'dtype {kind.__name__}'):
            as_rgb(image.fromarray(np.ones((2, 3), kind)))


@pytest.mark.parametrize(
    ('image', 'text'),
    [
        (RGB / 255, 'dtype float64.*255'),
        (RGB.transpose(2, 0, 1), r'shape \(3, 40, 60\).*transpose\(1, 2, 0\)'),
        (np.zeros((0, 4, 3), np.uint8), r'shape \(0, 4, 3\)'),
        (np.zeros((4, 4, 2), np.uint8), r'shape \(4, 4, 2\)'),
        ('text', 'is a str'),
    ],
)
def test_other_arrays_are_refused(image, text):
    with pytest.raises((TypeError, ValueError), match=text):
        as_rgb(image)


def test_a_tensor_is_refused_with_the_mend():
    torch = pytest.importorskip('torch')
    with pytest.raises(TypeError, match=r'permute\(1, 2, 0\)'):
        frames_of(torch.zeros(3, 4, 4))


def test_files_of_all_kinds(tmp_path):
    assert (read_image(write(tmp_path / 'a.png', RGB)) == RGB).all()
    cv2.imwrite(str(tmp_path / 'grey.png'), RGB[..., 0])
    assert (read_image(tmp_path / 'grey.png') == RGB[..., :1]).all()
    cv2.imwrite(str(tmp_path / 'deep.png'), RGB[..., ::-1].astype(np.uint16) * 257)
    assert (read_image(tmp_path / 'deep.png') == RGB).all()
    rgba = np.dstack([RGB[..., ::-1], np.full(RGB.shape[:2], 7, np.uint8)])
    cv2.imwrite(str(tmp_path / 'rgba.png'), rgba)
    assert (read_image(tmp_path / 'rgba.png') == RGB).all()
    write(tmp_path / 'one.png', RGB[:1, :1])
    assert read_image(tmp_path / 'one.png').shape == (1, 1, 3)


def test_exif_rotation_is_what_viewers_show(tmp_path):
    data = cv2.imencode('.jpg', RGB[..., ::-1])[1].tobytes()
    # orientation 6: a quarter turn clockwise to look upright
    entry = struct.pack('<HHIHH', 0x0112, 3, 1, 6, 0)
    tiff = b'II*\0' + struct.pack('<IH', 8, 1) + entry + b'\0' * 4
    body = b'Exif\0\0' + tiff
    turned = data[:2] + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body + data[2:]
    (tmp_path / 'phone.jpg').write_bytes(turned)
    (tmp_path / 'plain.jpg').write_bytes(data)
    upright = np.rot90(read_image(tmp_path / 'plain.jpg'), -1)
    assert (read_image(tmp_path / 'phone.jpg') == upright).all()
    with PIL.Image.open(tmp_path / 'phone.jpg') as image:
        assert (as_rgb(image) == upright).all()


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_broken_files_are_one_sentence(tmp_path, suffix):
    path = tmp_path / f'bad{suffix}'
    path.write_text('this is no picture at all, only its name says so')
    with pytest.raises(OSError, match=f'{path} is truncated or unreadable .48 bytes'):
        read_image(path)
    whole = cv2.imencode(suffix, RGB)[1].tobytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match='truncated'):
        read_image(path)
    path.write_bytes(b'')
    with pytest.raises(OSError, match='is empty'):
        read_image(path)


def test_folder_pattern_list_and_names(tmp_path):
    for name in ('b.png', 'a.png', 'sub/a.png', 'other/a.png'):
        write(tmp_path / name, RGB)
    (tmp_path / 'notes.txt').write_text('no image')
    assert [f.name for f in frames_of(tmp_path)] == ['a', 'b']
    names = [f.name for f in frames_of(f'{tmp_path}/**/*.png')]
    assert names == ['a', 'b', 'other/a', 'sub/a']
    write(tmp_path / 'day [1]' / 'f10.png', RGB)
    write(tmp_path / 'day [1]' / 'f9.png', RGB)
    assert [f.name for f in frames_of(f'{tmp_path}/day [1]/f*.png')] == ['f9', 'f10']
    paths = [tmp_path / 'sub/a.png', str(tmp_path / 'other/a.png'), RGB]
    assert [f.name for f in frames_of(paths)] == ['a', 'a_2', '000002']
    assert [count_images(x) for x in (tmp_path, paths, RGB, tmp_path / 'a.png')] == [2, 3, 1, 1]
    assert count_images(f'{tmp_path}/*.png') is None
    stack = np.stack([RGB, RGB])
    assert len(frames_of(stack)) == count_images(stack) == 2


def test_what_is_not_there_is_said(tmp_path):
    write(tmp_path / 'deep/a.png', RGB)
    cases = {
        'no.png': 'there is no file or folder',
        f'{tmp_path}/*.jpg': 'no image or video matches',
        str(tmp_path): r'no image in the folder.*\*\*/\*.png',
        'https://example.com/a.jpg': 'addresses are not fetched',
    }
    for text, message in cases.items():
        with pytest.raises((OSError, ValueError), match=message):
            frames_of(text)
    with pytest.raises(TypeError, match='inputs of type float'):
        frames_of(1.5)
    with pytest.raises(OSError, match='camera 77 cannot be opened'):
        frames_of(77)


def test_skipping_goes_on_with_the_rest(tmp_path):
    write(tmp_path / 'a.png', RGB)
    (tmp_path / 'b.png').write_text('text')
    write(tmp_path / 'c.png', RGB)
    reader = FrameReader([tmp_path, 'missing.png', RGB, 0.5], on_error='skip')
    assert [f.name for f in reader] == ['a', 'c', '000002']
    origins = [origin for origin, _ in reader.failures]
    assert origins == [str(tmp_path / 'b.png'), 'missing.png', 'input 3']
    batches = make_batches(FrameReader(tmp_path), 4)
    # what was read before the broken file is not lost
    assert [f.name for f in next(batches)] == ['a']
    with pytest.raises(OSError, match='b.png'):
        next(batches)


def test_a_generator_is_read_as_it_is_needed():
    handed = []

    def images():
        for i in range(100):
            handed.append(i)
            yield RGB

    batches = make_batches(FrameReader(images()), 3)
    assert len(next(batches)) == 3
    assert len(handed) == 3


def test_video(video):
    frames = frames_of(str(video))
    assert [f.index for f in frames] == list(range(20))
    assert [f.name for f in frames][:2] == ['drive/000000', 'drive/000001']
    means = [f.image.mean() for f in frames]
    assert means == pytest.approx([20 + 10 * i for i in range(20)], abs=2)
    assert frames[0].video.fps == 10 and frames[0].video.length == 20
    some = frames_of(video, frame_step=6, max_frames=3)
    assert [f.index for f in some] == [0, 6, 12]
    assert some[0].video.fps == pytest.approx(10 / 6)
    assert (count_frames(video), count_frames(video, 6), count_frames(video, 6, 3)) == (20, 4, 3)
    # two of one name do not share outputs
    assert frames_of([video, video])[-1].name == 'drive_2/000019'


def test_a_video_that_ends_early_keeps_what_it_has(video, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmscd.datasets.formats.videos.print_log', lambda text, *_: said.append(text)
    )
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    frames = frames_of(video)
    assert 2 < len(frames) < 18 and frames[0].video.ended_early
    assert said == [
        f'{video} ends early: it announces 20 frames, {len(frames)} could be decoded; it is '
        'truncated or broken from there on'
    ]


def test_a_video_without_content_is_one_sentence(tmp_path):
    path = tmp_path / 'no.mp4'
    path.write_bytes(b'text' * 100)
    with pytest.raises(OSError, match=f'video {path} cannot be decoded.*convert'):
        frames_of(path)


def test_text_is_no_video_although_opencv_draws_it(tmp_path):
    path = tmp_path / 'notes.txt'
    path.write_text('hello\n' * 2000)
    for source in (path, tmp_path / 'frame%04d.png', 'http://127.0.0.1/a.mp4'):
        with pytest.raises(OSError, match=f'there is no video {source}: expected a file that ends'):
            Video(source)


def test_two_images_of_one_name_are_refused(tmp_path):
    for name in ('a.png', 'b.jpg', 'b.png'):
        write(tmp_path / name, RGB)
    with pytest.raises(ValueError, match=r'b.jpg and .*b.png would be two frames: keep one'):
        frames_of(tmp_path)
    assert [f.name for f in frames_of(f'{tmp_path}/*.png')] == ['a', 'b']
    reader = FrameReader([tmp_path, RGB], on_error='skip')
    assert len(list(reader)) == len(reader.failures) == 1


@pytest.mark.parametrize('name', ['1.TS', '1.MTS', '1.m2ts', '1.3gp', '1.wmv', '1.flv'])
def test_videos_of_cameras_are_videos(video, tmp_path, name):
    path = video.rename(tmp_path / name)  # OpenCV goes by the content
    for inputs in (path, str(tmp_path / '1.*')):
        frames = frames_of(inputs, max_frames=3)
        means = [frame.image.mean() for frame in frames]
        assert np.allclose(means, [20, 30, 40], atol=3) and frames[0].video is not None


def test_a_colon_in_a_name_is_no_protocol(long_video, tmp_path, monkeypatch):
    """As FFmpeg reads relative paths; dash cams name files by the time."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / '10:30.mp4').write_bytes(long_video.read_bytes())
    assert len(frames_of('10:30.mp4', max_frames=3)) == 3


def test_pixels_that_are_not_square_are_told(long_video, tmp_path, monkeypatch):
    said, data = [], bytearray(long_video.read_bytes())
    monkeypatch.setattr(
        'mmscd.datasets.formats.videos.print_log', lambda text, *_: said.append(text)
    )
    assert frames_of(long_video, max_frames=1) and not said
    # aspect_ratio_info of MPEG-4's video object layer: from 1, square, to 4, 16:11
    place = data.find(b'\0\0\1\x20') + 4
    bits = int.from_bytes(data[place : place + 4], 'big')
    shift = 31 - 9 - 4 - 7 * (bits >> 22 & 1)
    assert bits >> shift & 15 == 1
    data[place : place + 4] = (bits ^ (1 ^ 4) << shift).to_bytes(4, 'big')
    (tmp_path / 'wide.mp4').write_bytes(data)
    frames_of(tmp_path / 'wide.mp4', max_frames=1)
    assert len(said) == 1 and 'wide.mp4 has pixels of 16:11' in said[0]


def test_a_camera_below_0_is_one_sentence():
    with pytest.raises(OSError, match='camera -1 cannot be opened'):
        frames_of(-1)

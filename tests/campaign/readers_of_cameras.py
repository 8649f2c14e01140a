"""Own videos and their cameras, and archives that become data sets."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from readers import add, call
from readers_of_data import samples
from tiny import DATE, DRIVE, make_kitti, picture, write_image, write_text

import mmscd.datasets as ds

CONVERTERS = 'tools/dataset_converters'
CAMERA = 'fx: 60.0\nfy: 60.0\ncx: 47.5\ncy: 31.5\nwidth: 96\nheight: 64\n'
COLMAP = (
    '# cameras\n1 OPENCV 96 64 60 60 48 32 -0.1 0.01 0.001 0.002\n2 PINHOLE 96 64 60 60 48 32\n'
)
OPENCV = """%YAML:1.0
---
image_width: 96
image_height: 64
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 60., 0., 47., 0., 60., 31., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ -0.08, 0.03, 0.001, -0.002, 0.01 ]
"""
ROS = """image_width: 96
image_height: 64
camera_name: front
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [60, 0, 47, 0, 60, 31, 0, 0, 1]}
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


def own_video(folder: Path) -> None:
    """Frames, their camera in four formats, and a film of them."""
    for frame in range(4):
        write_image(folder / f'frames/{frame:04d}.jpg', picture(frame))
    for name, text in dict(intrinsics=CAMERA, opencv=OPENCV, ros=ROS).items():
        write_text(folder / f'{name}.yaml', text)
    write_text(folder / 'cameras.txt', COLMAP)
    form = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(folder / 'film.avi'), form, 10, (96, 64))
    for frame in range(6):
        writer.write(picture(frame))
    writer.release()


def convert(*options: str, video: str = 'frames') -> Callable[[Path], Any]:
    """from_video.py of the folder; options with a dot are files of it."""

    def read(folder: Path) -> Any:
        words = [folder / word if '.' in word else word for word in options]
        more = ('--out', folder / 'out', '--stride', 1, '--no-lint')
        return call(f'{CONVERTERS}/from_video.py', folder / video, *words, *more)

    return read


def own_frames(folder: Path) -> Any:
    """The data set of an own video."""
    camera = str(folder / 'intrinsics.yaml')
    return samples(ds.FolderDepthDataset(str(folder / 'frames'), intrinsics=camera))


add('camera yaml', 'yaml', own_video, own_frames, 'intrinsics.yaml')
add('OpenCV calibration', 'yaml', own_video, convert('--opencv', 'opencv.yaml'), 'opencv.yaml')
add('ROS calibration', 'yaml', own_video, convert('--opencv', 'ros.yaml'), 'ros.yaml')
colmap = convert('--colmap', 'cameras.txt', '--camera-id', '1')
add('COLMAP cameras', 'text', own_video, colmap, 'cameras.txt')
film = convert('--hfov', '60', video='film.avi')
add('video', 'bytes', own_video, film, 'film.avi', also=('out/frames',))
add(
    'frames of a video',
    'image',
    own_video,
    convert('--hfov', '60'),
    'frames/0002.jpg',
    also=('out/frames', '/frames: frame'),
)


def converted(folder: Path) -> None:
    """A video that was converted before."""
    own_video(folder)
    convert('--hfov', '60', video='film.avi')(folder)


add('manifest of a video', 'json', converted, film, 'out/film.json')


def archives(folder: Path) -> None:
    """The official division of KITTI raw."""
    tree = make_kitti(folder / 'tree', 2)
    drive, calibration = Path(DRIVE).name, f'{DATE}_calib'
    with (
        zipfile.ZipFile(folder / f'{drive}.zip', 'w', zipfile.ZIP_DEFLATED) as one,
        zipfile.ZipFile(folder / f'{calibration}.zip', 'w') as two,
    ):
        for file in sorted(path for path in tree.glob(f'{DATE}/**/*') if path.is_file()):
            name = file.relative_to(tree).as_posix()
            (two if 'calib' in name else one).write(file, name)


def unpack(folder: Path) -> Any:
    """prepare_kitti_raw.py unpack."""
    tool = f'{CONVERTERS}/prepare_kitti_raw.py'
    zips = sorted(folder.glob('*.zip'))
    return call(tool, 'unpack', *zips, '--out', folder / 'out', '--jpeg', 95)


def pack(folder: Path) -> Any:
    """prepare_kitti_raw.py cache."""
    tool = f'{CONVERTERS}/prepare_kitti_raw.py'
    words = ('--split', folder / 'kitti/train.txt', '--size', '96x64', '--out', folder / 'out')
    return call(tool, 'cache', '--data-root', folder / 'kitti', *words)


def packed(folder: Path) -> None:
    """A cache that is there already."""
    make_kitti(folder / 'kitti')
    pack(folder)


add('KITTI archive', 'zip', archives, unpack, '*.zip')
add('settings of a cache', 'json', packed, pack, 'out/*.json', also=('/out',))
add('calibration to cache', 'text', lambda f: make_kitti(f / 'kitti'), pack, '**/calib_cam*.txt')

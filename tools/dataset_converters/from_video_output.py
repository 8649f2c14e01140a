"""What `from_video.py` writes beside the frames: the camera of the frames, and a config."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.camera_file import CameraFile
from mmscd.utils.files import atomic_write
from mmscd.video.calibration_import import Calibration, read_colmap, read_opencv, undistort_maps

EPOCHS, BATCH = 20, 12
PIXELS = 640 * 192  # of the network's input, about

CONFIG = """# Made by from_video.py: Monodepth2 on the frames in this folder. There is no ground
# truth, so nothing is validated.
_base_ = [
    'mmscd::_base_/models/monodepth2_r18.py',
    'mmscd::_base_/datasets/folder_video.py',
    'mmscd::_base_/schedules/schedule_20e.py',
    'mmscd::_base_/default_runtime.py',
]
img_size = ({width}, {height})  # width, height: multiples of 32, about as wide as the frames are

train_pipeline = [
    dict(type='LoadFrames', reduce=img_size),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(
    # anew: `mmscd::` leaves a key in inherited dicts that default_collate does not take
    collate_fn=dict(_delete_=True, type='default_collate'),
    dataset=dict(
        data_root='{{{{ fileDirname }}}}/frames',
        intrinsics='{{{{ fileDirname }}}}/intrinsics.yaml',
        pipeline=train_pipeline,
    ),
)
# {epochs} epochs of {samples} samples
iters_per_epoch = {per_epoch}
train_cfg = dict(max_iters={epochs} * iters_per_epoch, val_interval={epochs} * iters_per_epoch)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[15 * iters_per_epoch], gamma=0.1),
]
val_cfg = test_cfg = None
default_hooks = dict(
    checkpoint=dict(interval={interval}, save_best=None), collapse_monitor=dict(begin={begin})
)
"""


class Camera:
    """Takes frames of the video to frames of the data set: undistort, crop, shrink.

    Args:
        calibration: of the video as it is.
        crop: (left, top, right, bottom) in pixels of the undistorted video, or None.
        max_width: wider frames are shrunk.

    Attributes:
        K: (3, 3) float64 of the new frames, pixels; `size`: their (width, height).

    Raises:
        ValueError: the crop does not lie inside the frame.
    """

    def __init__(
        self, calibration: Calibration, crop: Sequence[int] | None, max_width: int
    ) -> None:
        self.video_size, self.maps = calibration.size, None
        K = calibration.K.copy()
        if calibration.distortion is not None:
            *self.maps, K = undistort_maps(calibration)
        width, height = calibration.size
        left, top, right, bottom = self.crop = tuple(crop or (0, 0, width, height))
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(
                f'--crop {left} {top} {right} {bottom} does not lie inside frames of '
                f'{width}x{height}'
            )
        K[:2, 2] -= left, top
        cut = right - left, bottom - top
        shrink = min(1.0, max_width / cut[0])
        self.size = (round(cut[0] * shrink), round(cut[1] * shrink))
        self.K = _resized(Calibration(K, cut, None), self.size).K

    def picture(self, image: np.ndarray, name: Path) -> np.ndarray:
        """A frame of the data set, (h, w, 3) uint8, from one of the video, (H, W, 3) uint8.

        Raises:
            ValueError: it has another size than the first frame.
        """
        if image.shape[1::-1] != self.video_size:
            raise ValueError(
                f'{name}: a frame of {image.shape[1]}x{image.shape[0]} among frames of '
                f'{self.video_size[0]}x{self.video_size[1]}'
            )
        if self.maps is not None:
            image = cv2.remap(image, *self.maps, cv2.INTER_LINEAR)
        left, top, right, bottom = self.crop
        image = image[top:bottom, left:right]
        if image.shape[1::-1] == self.size:
            return image
        return cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)


def open_camera(args: argparse.Namespace, size: tuple[int, int]) -> Camera:
    """The camera that the command line names, for a video of that (width, height).

    Raises:
        FileNotFoundError, ValueError: the calibration is missing, broken or of another size.
    """
    if args.hfov is not None:
        if not 0 < args.hfov < 180:
            raise ValueError(f'--hfov must lie between 0 and 180 degrees, got {args.hfov}')
        focal = size[0] / 2 / np.tan(np.radians(args.hfov) / 2)
        centre = (size[0] - 1) / 2, (size[1] - 1) / 2
        K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
        calibration = Calibration(K, size, None)
    else:
        calibration = _read_calibration(args, size)
        known = calibration.size
        if known != size and not args.scale_intrinsics:
            raise ValueError(
                f'{args.intrinsics or args.colmap or args.opencv} is for {known[0]}x{known[1]}, '
                f'the video is {size[0]}x{size[1]}: calibrate at the size (and zoom) of the video, '
                'or give --scale-intrinsics if it is a plain resize of what was calibrated'
            )
        calibration = _resized(calibration, size)
    return Camera(calibration, args.crop, args.max_width)


def _read_calibration(args: argparse.Namespace, size: tuple[int, int]) -> Calibration:
    if args.colmap:
        return read_colmap(args.colmap, args.camera_id)
    if args.opencv:
        return read_opencv(args.opencv)
    camera = CameraFile(args.intrinsics)
    known = camera.size or size
    return Calibration(camera.intrinsics(known), known, None)


def _resized(calibration: Calibration, size: tuple[int, int]) -> Calibration:
    K, known, distortion = calibration
    scale = np.array(size) / known
    K = K.copy()
    K[[0, 1], [0, 1]] *= scale
    K[:2, 2] = (K[:2, 2] + 0.5) * scale - 0.5  # half-pixel convention
    return Calibration(K, tuple(size), distortion)


def write_intrinsics(path: Path, K: np.ndarray, size: tuple[int, int]) -> None:
    """Write the yaml that `FolderDepthDataset` reads."""
    numbers = dict(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2], width=size[0], height=size[1])
    text = '# pixels of the frames beside this file; pixel centres are integers\n'
    text += ''.join(f'{key}: {value:.10g}\n' for key, value in numbers.items())
    atomic_write(path, text.encode())


def input_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the network's input: multiples of 32, about `PIXELS` many, the aspect
    ratio as near to that of the frames as that allows."""
    ratio = size[0] / size[1]
    candidates = [(32 * i, 32 * j) for i in range(3, 33) for j in range(3, 33)]
    near = [c for c in candidates if 0.8 * PIXELS <= c[0] * c[1] <= 1.15 * PIXELS]
    return min(near, key=lambda c: (abs(np.log(c[0] / c[1] / ratio)), -c[0] * c[1]))


def write_config(out: Path, size: tuple[int, int]) -> Path:
    """Write a config that trains on the frames in `out`; an existing one is left alone.

    Raises:
        ValueError: there are too few frames.
    """
    path = out / 'monodepth2_r18.py'
    folders = {f.parent for f in (out / 'frames').glob('*/*/*.jpg')}
    samples = sum(max(0, len(list(folder.glob('*.jpg'))) - 2) for folder in folders)
    if samples == 0:
        raise ValueError(
            f'{out}/frames has no three frames in a row: the camera hardly moves, or --motion or '
            '--stride is too large'
        )
    if path.is_file():
        return path
    width, height = input_size(size)
    per_epoch = max(1, samples // BATCH)
    text = CONFIG.format(
        width=width, height=height, epochs=EPOCHS, samples=samples, per_epoch=per_epoch,
        interval=max(1, min(1000, EPOCHS * per_epoch)), begin=min(500, 2 * per_epoch),
    )  # fmt: skip
    atomic_write(path, text.encode())
    return path

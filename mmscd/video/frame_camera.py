"""The camera of a video, and the one of the frames that are made of it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from mmscd.datasets.formats.camera_file import CameraFile, centred_camera

from .calibration_import import Calibration, read_colmap, read_opencv, undistort_maps


class FrameCamera:
    """Takes frames of a video to frames of a data set: undistort, crop to (left, top, right,
    bottom) of the undistorted video, shrink to at most `max_width`. `K`: (3, 3) float64 of the new
    frames, pixels; `size`: their (width, height)."""

    def __init__(
        self, calibration: Calibration, crop: Sequence[int] | None, max_width: int
    ) -> None:
        self._video_size = width, height = calibration.size
        self._maps: Sequence[np.ndarray] = ()
        K = calibration.K.copy()
        if calibration.distortion is not None:
            *self._maps, K = undistort_maps(calibration)
        left, top, right, bottom = self._crop = tuple(crop or (0, 0, width, height))
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            given = f'--crop {left} {top} {right} {bottom}'
            raise ValueError(f'{given} does not lie inside frames of {width}x{height}')
        K[:2, 2] -= left, top
        cut = right - left, bottom - top
        shrink = min(1.0, max_width / cut[0])
        self.size = (round(cut[0] * shrink), round(cut[1] * shrink))
        self.K = Calibration(K, cut).resized(self.size).K

    def picture(self, image: np.ndarray, name: str | os.PathLike) -> np.ndarray:
        """A frame of the data set, (h, w, 3) uint8, from one of the video, (H, W, 3) uint8.
        ValueError: it has another size than the first frame."""
        if image.shape[1::-1] != self._video_size:
            sizes = image.shape[1::-1], self._video_size
            got, expected = ('{}x{}'.format(*size) for size in sizes)
            raise ValueError(f'{name}: a frame of {got} among frames of {expected}')
        if self._maps:
            image = cv2.remap(image, self._maps[0], self._maps[1], cv2.INTER_LINEAR)
        left, top, right, bottom = self._crop
        image = image[top:bottom, left:right]
        if image.shape[1::-1] == self.size:
            return image
        return cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)


def read_calibration(
    size: tuple[int, int],
    intrinsics: str | os.PathLike | None = None,
    hfov: float | None = None,
    colmap: str | os.PathLike | None = None,
    opencv: str | os.PathLike | None = None,
    camera_id: int | None = None,
    scale_intrinsics: bool = False,
) -> Calibration:
    """The camera of a video of `size` (width, height), from one of four sources: the yaml file of a
    `CameraFile`, the horizontal field of view in degrees, COLMAP's `cameras.txt` (`camera_id` where
    it has several), a yaml file of OpenCV or ROS. `scale_intrinsics`: it may be of another size.
    FileNotFoundError, ValueError: it is missing, broken or of another size."""
    if intrinsics is not None:
        return Calibration(CameraFile(intrinsics).intrinsics(size, scale_intrinsics), size)
    if hfov is not None:
        if not 0 < hfov < 180:
            raise ValueError(f'--hfov must lie between 0 and 180 degrees, got {hfov}')
        return Calibration(centred_camera(hfov, size), size)
    if opencv is not None:
        found = read_opencv(opencv)
    elif colmap is not None:
        found = read_colmap(colmap, camera_id)
    else:
        raise ValueError('the camera is not known: give intrinsics, hfov, colmap or opencv')
    if found.size != size and not scale_intrinsics:
        raise ValueError(
            f'{opencv or colmap} is for {found.size[0]}x{found.size[1]}, the video is '
            f'{size[0]}x{size[1]}: calibrate at the size (and zoom) of the video, or give '
            '--scale-intrinsics if it is a plain resize of what was calibrated'
        )
    return found.resized(size)

"""Resize of the frames of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from mmscd.registry import TRANSFORMS

from .loading import scale_intrinsics


@TRANSFORMS.register_module()
class ResizeFrames:
    """Resize all frames to one size and update `K` and `img_shape`.

    Area averaging where the image shrinks, bilinear otherwise; both with pixel centres at half
    pixels, so that K scales by the half-pixel convention.

    Args:
        size: (width, height) in pixels.
    """

    def __init__(self, size: Sequence[int]) -> None:
        if len(size) != 2 or any(int(side) != side or side <= 0 for side in size):
            raise ValueError(f'size must be two positive whole numbers (W, H), got {size!r}')
        self.size = (int(size[0]), int(size[1]))

    def __call__(self, results: dict) -> dict:
        height, width = results['frames'][0].shape[:2]
        shrinks = self.size[0] <= width and self.size[1] <= height
        mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        results['frames'] = [
            cv2.resize(frame, self.size, interpolation=mode) for frame in results['frames']
        ]
        results['K'] = scale_intrinsics(results['K'], self.size[0] / width, self.size[1] / height)
        results['img_shape'] = (self.size[1], self.size[0])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'

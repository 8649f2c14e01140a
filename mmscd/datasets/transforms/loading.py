"""Loading of the frames of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmscd.datasets.formats.images import decode_rgb, read_bytes
from mmscd.registry import TRANSFORMS


def scale_intrinsics(K: np.ndarray, scale_x: float, scale_y: float) -> np.ndarray:
    """Intrinsics of a resized image, pixel centres at whole numbers (half-pixel convention).

    fx -> fx s_x, cx -> (cx + .5) s_x - .5, likewise fy and cy.

    Args:
        K: (3, 3) float64, pixels of the image before.
        scale_x: width after / width before.
        scale_y: height after / height before.
    """
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    unshift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return unshift @ np.diag([scale_x, scale_y, 1.0]) @ shift @ K


@TRANSFORMS.register_module()
class LoadFrames:
    """Read and decode the frames of a sample.

    Adds `frames` (list of (H, W, 3) uint8 RGB), `ori_shape` (H, W) as stored, `img_shape` (H, W) at
    hand, and `K` (3, 3) float64 for the frames at hand.

    Args:
        reduce: False: full decode. (width, height): JPEGs are decoded at 1/2, 1/4 or 1/8 of their
            size where that still covers this target, which is faster and a little less sharp; for
            training only.
    """

    def __init__(self, reduce: bool | Sequence[int] = False) -> None:
        if reduce is True:
            raise ValueError('reduce must be False or the target (width, height), got True')
        self.target = (int(reduce[0]), int(reduce[1])) if reduce else None

    def __call__(self, results: dict) -> dict:
        frames, first = [], None
        for path in results['frame_paths']:
            frame, size, shrink = decode_rgb(read_bytes(path), path, self.target)
            first = first or (size, shrink)
            if (size, shrink) != first:
                raise ValueError(
                    f'frames of a sample must have one size and kind: {path} has {size}, '
                    f'{results["frame_paths"][0]} has {first[0]} (width, height)'
                )
            frames.append(frame)
        size, shrink = first
        self._check_size(results, size)
        results['frames'] = frames
        results['ori_shape'] = (size[1], size[0])
        results['img_shape'] = frames[0].shape[:2]
        # the inverse DCT scales by exactly 1/n; an odd last row or column is padding in part
        results['K'] = scale_intrinsics(results['K_ori'], 1 / shrink, 1 / shrink)
        return results

    @staticmethod
    def _check_size(results: dict, size: tuple[int, int]) -> None:
        expected = results.get('camera_size')
        if expected is not None and tuple(expected) != size:
            raise ValueError(
                f'{results["frame_paths"][0]} is {size[0]}x{size[1]}, but its calibration is for '
                f'{expected[0]}x{expected[1]}: use the original images or correct the calibration'
            )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(reduce={self.target or False})'

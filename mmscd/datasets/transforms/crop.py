"""A fixed crop, as some benchmarks prescribe it for the input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmscd.registry import TRANSFORMS


def _place(edge: float | None, side: int, end: int) -> int:
    """Pixel of an edge; the image's own where it is None, the far one where `end` is 1."""
    if edge is None:
        return side * end
    return round(edge * side) if isinstance(edge, float) else int(edge)


@TRANSFORMS.register_module()
class CropFrames:
    """Cut the same fixed window out of all frames, and out of the ground truth.

    From here on the window is the original image: `ori_shape`, `K_ori` and `camera_size` follow, so
    predictions have its size. It stands after `LoadFrames`, which must not reduce.

    Args:
        window: (top, bottom, left, right), ends excluded: whole numbers are pixels, floats are
            fractions of the side (rounded to pixels), and so are all beside a float; None in place
            of one: the image's edge.
        size: (width, height) in pixels of a centred window, instead of `window`.
        crop_gt: cut the ground truth as well; it must have the size of the image. False: the data
            set gives it for the window already.

    Raises:
        ValueError: neither or both of `window` and `size`.
    """

    per_frame = True  # and the same every time: it may be done once

    def __init__(
        self,
        window: Sequence[float | None] | None = None,
        size: Sequence[int] | None = None,
        crop_gt: bool = True,
    ) -> None:
        if (window is None) == (size is None):
            raise ValueError(f'CropFrames takes either window or size, got {window!r} and {size!r}')
        if window is not None and len(window) != 4:
            raise ValueError(f'window must be (top, bottom, left, right), got {window!r}')
        if size is not None and (len(size) != 2 or any(int(side) != side for side in size)):
            raise ValueError(f'size must be two whole numbers (W, H), got {size!r}')
        if window is not None and any(isinstance(edge, float) for edge in window):
            window = [edge if edge is None else float(edge) for edge in window]
        self.window = tuple(window) if window is not None else None
        self.size = tuple(size) if size is not None else None
        self.crop_gt = crop_gt

    def bounds(self, shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """Rows top..bottom and columns left..right of the window in an image (H, W); ValueError
        where it does not fit into the image."""
        height, width = shape
        if self.size is not None:
            top, left = (height - self.size[1]) // 2, (width - self.size[0]) // 2
            bottom, right = top + self.size[1], left + self.size[0]
        else:
            assert self.window is not None
            top, bottom = (_place(edge, height, i) for i, edge in enumerate(self.window[:2]))
            left, right = (_place(edge, width, i) for i, edge in enumerate(self.window[2:]))
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ValueError(
                f'{self!r} gives rows {top}..{bottom}, columns {left}..{right}, which does not fit '
                f'into an image of {height} x {width} pixels (height x width): correct it'
            )
        return top, bottom, left, right

    def __call__(self, results: dict) -> dict:
        shape = results['frames'][0].shape[:2]
        if tuple(results['ori_shape']) != tuple(shape):
            raise ValueError(
                f'CropFrames must stand right after a LoadFrames that does not reduce: the frames '
                f'have (H, W) {shape}, stored are {results["ori_shape"]}'
            )
        top, bottom, left, right = self.bounds(shape)
        results['frames'] = [frame[top:bottom, left:right] for frame in results['frames']]
        for key in ('K', 'K_ori'):
            results[key] = results[key] - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])
        results['ori_shape'] = results['img_shape'] = (bottom - top, right - left)
        if 'camera_size' in results:
            results['camera_size'] = (right - left, bottom - top)
        if self.crop_gt and 'gt_depth' in results:
            depth = results['gt_depth']
            if depth.shape != shape:
                raise ValueError(
                    f'ground truth of {results["img_path"]} has (H, W) {depth.shape}, its image '
                    f'{shape}: CropFrames(crop_gt=False) leaves it as it is'
                )
            results['gt_depth'] = depth[top:bottom, left:right]
        return results

    def __repr__(self) -> str:
        return f'CropFrames(window={self.window}, size={self.size}, crop_gt={self.crop_gt})'

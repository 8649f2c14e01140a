"""Loading of the frames of a sample."""

from __future__ import annotations

from collections.abc import Sequence

from mmscd.datasets.formats import images
from mmscd.geometry import scale_intrinsics
from mmscd.registry import TRANSFORMS


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

    per_frame = True  # and the same every time: it may be done once

    def __init__(self, reduce: bool | Sequence[int] = False) -> None:
        if reduce is True:
            raise ValueError('reduce must be False or the target (width, height), got True')
        self.target = (int(reduce[0]), int(reduce[1])) if reduce else None

    def __call__(self, results: dict) -> dict:
        paths = results['frame_paths']
        contents = [images.read_bytes(path) for path in paths]
        decoded = [
            images.decode_rgb(data, path, self.target)
            for data, path in zip(contents, paths, strict=True)
        ]
        _, size, shrink = decoded[0]
        for path, (_, *kind) in zip(paths, decoded, strict=True):
            if kind != [size, shrink]:
                raise ValueError(
                    f'frames of a sample must have one size and kind: {path} has {kind[0]}, '
                    f'{paths[0]} has {size} (width, height)'
                )
        images.check_size(paths[0], size, results.get('camera_size'), results.get('camera_path'))
        depth = results.get('gt_depth')
        if results.get('gt_shows_image') and depth is not None:
            truth = results.get('gt_path', 'the ground truth')
            images.check_same_view(truth, depth.shape[1::-1], paths[0], size)
            if images.read_header(contents[0], paths[0])[2] in (2, 3, 4):
                text = f'EXIF turns it or mirrors it, but perhaps not {truth}: store it upright'
                raise ValueError(f'{paths[0]}: {text}')
        results['frames'] = [frame for frame, *_ in decoded]
        results['ori_shape'] = (size[1], size[0])
        results['img_shape'] = decoded[0][0].shape[:2]
        # the inverse DCT scales by exactly 1/n; an odd last row or column is padding in part
        results['K'] = scale_intrinsics(results['K_ori'], 1 / shrink, 1 / shrink)
        return results

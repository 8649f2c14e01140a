"""Predictors that know nothing of the picture: the floor that a trained network has to leave."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmscd.datasets.formats.arrays import is_map, read_npy

from .functional import invert, resize_inverse_depth


class ConstantDepth:
    """The same depth everywhere; under median alignment every constant is the same predictor.

    Args:
        depth: metres. It matters only where nothing aligns it.
    """

    key = 'constant'

    def __init__(self, depth: float = 20.0) -> None:
        if not depth > 0:
            raise ValueError(f'depth must be positive, got {depth}')
        self.depth = depth
        self.name = 'constant depth'

    def __call__(self, shape: tuple[int, int], meta: Mapping[str, Any]) -> np.ndarray:
        """Depth map (H, W) of the given shape; `meta` is not read."""
        return np.full(shape, self.depth)


class FlatRoad:
    """A flat road under a level camera: depth = camera_height * fy / (v - cy) below the horizon.

    Args:
        camera_height: metres above the road; 1.65 is KITTI's.
        far_cap: metres; what is farther, and everything from the horizon up, has this depth.
    """

    key = 'flat_road'

    def __init__(self, camera_height: float = 1.65, far_cap: float = 80.0) -> None:
        if not (camera_height > 0 and far_cap > 0):
            given = f'{camera_height} and {far_cap}'
            raise ValueError(f'camera_height and far_cap of a road must be positive, got {given}')
        self.camera_height, self.far_cap = camera_height, far_cap
        self.name = f'flat road, cap {far_cap:g} m'

    def __call__(self, shape: tuple[int, int], meta: Mapping[str, Any]) -> np.ndarray:
        """Depth map float64 (H, W), metres, of the size of the ground truth; `meta` needs `K_ori`
        (3, 3), pixels of the original image, and `ori_shape` (H, W) where that has another size."""
        if meta.get('K_ori') is None:
            raise KeyError(
                f'the reference {self.name!r} needs `K_ori` in the metainfo of the data sample '
                f'({meta.get("img_path")}): let PackDepthInputs put it there'
            )
        fy, cy = np.asarray(meta['K_ori'], np.float64)[1, 1:]
        factor = shape[0] / (meta.get('ori_shape') or shape)[0]
        fy, cy = fy * factor, (cy + 0.5) * factor - 0.5
        below = np.arange(shape[0]) - cy
        depth = np.full(shape[0], float(self.far_cap))
        road = below > 0
        depth[road] = np.minimum(self.camera_height * fy / below[road], self.far_cap)
        return np.broadcast_to(depth[:, None], shape)


class DepthMap:
    """One depth map for every image, e.g. the mean of the training scenes.

    It knows how a street usually lies before the camera and nothing of the image at hand: a network
    that does not beat it has learned a layout, not to see.

    Args:
        path: .npy file, float (H, W): depth in metres (recommended), or inverse depth. Its whole
            extent is laid over the whole ground truth, and resized as inverse depth.
        inverse: the file holds 1 / depth.
        name: its row in the table; the metric's key is the name with underscores, for
            'mean depth map' `mean_depth_map_abs_rel`.

    Raises:
        ValueError: not a map of finite, positive numbers.
    """

    def __init__(
        self, path: str | os.PathLike, inverse: bool = False, name: str = 'mean depth map'
    ) -> None:
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'the reference {name!r} needs the depth map {path}, which does not exist: write '
                'it (float32 (H, W) metres as .npy) or take the reference out of the evaluator'
            )
        values = read_npy(path, 'write it again as float32 (H, W) metres')
        if not is_map(values) or values.dtype.kind != 'f':
            raise ValueError(f'{path}: expected float (H, W), got {values.dtype} {values.shape}')
        with np.errstate(over='ignore', under='ignore'):  # float32 is what depth is computed in
            ends = np.asarray([values.min(), values.max()], np.float32)
        if not (0 < ends[0] and ends[1] < np.inf):
            raise ValueError(f'{path}: every value must be finite and positive; fill the holes')
        self.inverse_depth = values if inverse else invert(values)
        self.name = name
        self.key = '_'.join(name.lower().split())

    def __call__(self, shape: tuple[int, int], meta: Mapping[str, Any]) -> np.ndarray:
        """Depth map float32 (H, W) of the given shape, metres; `meta` is not read."""
        return invert(resize_inverse_depth(self.inverse_depth, shape))


_KINDS = dict(constant=ConstantDepth, flat_road=FlatRoad, depth_map=DepthMap)


def build_references(
    references: Sequence[Mapping[str, Any]],
) -> list[ConstantDepth | FlatRoad | DepthMap]:
    """Predictors from dicts with `type` 'constant', 'flat_road' or 'depth_map' and their arguments;
    `far_caps` of a flat road gives one predictor for each cap."""
    built: list[ConstantDepth | FlatRoad | DepthMap] = []
    for reference in references:
        args = dict(reference)
        kind = args.pop('type', None)
        if kind not in _KINDS:
            raise ValueError(f'reference type must be one of {list(_KINDS)}, got {kind!r}')
        caps = args.pop('far_caps', None)
        members = [args] if caps is None else [dict(args, far_cap=cap) for cap in caps]
        built += (_KINDS[kind](**member) for member in members)
    return built

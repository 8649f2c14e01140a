"""Sparse ground-truth depth of a whole split in one npz file, without pickled objects.

The arrays: `names` (N,) text, `shapes` (N, 2) int32 (H, W), `offsets` (N + 1,) int64, `index`
uint32 and `depth` float32 (flat pixel index and metres of all maps, one after another), and
`K` (N, 3, 3) float64, pixels of the maps. `np.load` reads it; so does `GroundTruthFile`.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmscd.datasets.formats.arrays import numpy_problem
from mmscd.utils.files import atomic_write

_KEYS = ('names', 'shapes', 'offsets', 'index', 'depth', 'K')


def write_ground_truth(
    path: str | os.PathLike, maps: Iterable[tuple[str, np.ndarray, np.ndarray]]
) -> int:
    """Write (name, depth (H, W) in metres with 0 where nothing was measured, K (3, 3)) of a split,
    whole or not at all; returns their number. ValueError: none, or a name twice."""
    if Path(path).suffix != '.npz':
        raise ValueError(f'ground truth is written as .npz, got {str(path)!r}')
    stored: dict[str, tuple] = {}
    for name, depth, K in maps:
        if name in stored:
            raise ValueError(f'two ground-truth maps have the name {name!r}')
        index: np.ndarray = np.flatnonzero(depth).astype(np.uint32)
        stored[name] = depth.shape, K, index, depth.reshape(-1)[index].astype(np.float32)
    if not stored:
        raise ValueError(f'there is no ground truth to write to {path}')
    shapes, cameras, indices, depths = zip(*stored.values(), strict=True)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        names=np.array(list(stored)),
        shapes=np.array(shapes, np.int32),
        offsets=np.cumsum([0, *map(len, indices)], dtype=np.int64),
        index=np.concatenate(indices),
        depth=np.concatenate(depths),
        K=np.array(cameras, np.float64),
    )
    atomic_write(path, stream.getvalue())
    return len(stored)


class GroundTruthFile:
    """Reads what `write_ground_truth` wrote; ValueError: it is broken or of another kind."""

    def __init__(self, path: str | os.PathLike) -> None:
        if not Path(path).is_file():
            raise FileNotFoundError(f'ground-truth file {path} does not exist')
        try:
            with np.load(path, allow_pickle=False) as content:
                self._arrays = {key: content[key] for key in _KEYS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f'ground-truth file {path} cannot be read ({numpy_problem(error)}): expected what '
                'tools/dataset_converters/prepare_kitti_raw.py export-gt writes'
            ) from None
        self.names = [str(name) for name in self._arrays['names']]
        count = len(self.names)
        if len(self._arrays['offsets']) != count + 1 or len(self._arrays['shapes']) != count:
            raise ValueError(f'ground-truth file {path} is inconsistent: write it again')

    def __len__(self) -> int:
        return len(self.names)

    def depth(self, i: int) -> np.ndarray:
        """Map (H, W) float32 metres, 0 where nothing was measured."""
        arrays = self._arrays
        part = slice(arrays['offsets'][i], arrays['offsets'][i + 1])
        depth = np.zeros(tuple(arrays['shapes'][i]), np.float32)
        depth.reshape(-1)[arrays['index'][part]] = arrays['depth'][part]
        return depth

    def intrinsics(self, i: int) -> np.ndarray:
        """K (3, 3) float64."""
        return self._arrays['K'][i]

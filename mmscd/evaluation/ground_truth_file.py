"""Sparse ground-truth depth of a whole split in one npz file, without pickled objects.

The arrays: `names` (N,) text, `shapes` (N, 2) int32 (H, W), `offsets` (N + 1,) int64, `index`
uint32 and `depth` float32 (flat pixel index and metres of all maps, one after another), and
`K` (N, 3, 3) float64, pixels of the maps. `np.load` reads it; so does `GroundTruthFile`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmscd.datasets.formats.arrays import camera_matrix, fill_map, read_arrays
from mmscd.utils.files import atomic_write

# arrays and the kinds of their numbers
_KINDS = dict(names='U', shapes='iu', offsets='iu', index='iu', depth='f', K='f')
_MEND = 'expected what tools/dataset_converters/prepare_kitti_raw.py export-gt writes'


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
            self._arrays = arrays = read_arrays(path, _MEND, list(_KINDS))
        except OSError as error:
            raise ValueError(f'ground-truth file {error}') from None
        self.path, count, last = path, arrays['names'].size, arrays['index'].size
        shapes = dict(names=(count,), shapes=(count, 2), offsets=(count + 1,), K=(count, 3, 3))
        shapes |= dict(index=(last,), depth=(last,))
        odd = [
            f'{key} ({values.dtype}, shape {values.shape})'
            for key, values in arrays.items()
            if values.dtype.kind not in _KINDS[key] or values.shape != shapes[key]
        ]
        self.names = [str(name) for name in arrays['names'].flat]
        offsets = arrays['offsets'].ravel().tolist()
        if (
            odd
            or offsets != sorted(offsets)
            or {offsets[0], offsets[-1]} != {0, last}
            or len(set(self.names)) < count
        ):
            problem = ', '.join(odd) or 'names or offsets'
            raise ValueError(f'ground-truth file {path} is inconsistent in {problem}; {_MEND}')

    def __len__(self) -> int:
        return len(self.names)

    def depth(self, i: int) -> np.ndarray:
        """Map (H, W) float32 metres, 0 where nothing was measured."""
        arrays = self._arrays
        part = slice(*arrays['offsets'][i : i + 2])
        what = f'ground-truth file {self.path}: map {i}'
        return fill_map(
            what, _MEND, arrays['shapes'][i], arrays['index'][part], arrays['depth'][part]
        )

    def intrinsics(self, i: int) -> np.ndarray:
        """K (3, 3) float64."""
        return camera_matrix(self._arrays['K'][i], f'ground-truth file {self.path}: K of map {i}')

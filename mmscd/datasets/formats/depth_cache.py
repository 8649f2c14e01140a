"""A cache of sparse depth maps on disk that any number of processes may use at once."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmscd.utils.files import atomic_write

from .arrays import fill_map, read_arrays

# raise it when the projection changes, so that old files are not taken for new ones
CACHE_VERSION = 1


class DepthCache:
    """Lossless float32 depth maps under `root`, one npz file each (pixel indices, depths, shape);
    None: nothing is cached. Files are renamed into place, so a reader sees a whole file or none;
    one that cannot be read is built again."""

    def __init__(self, root: str | None) -> None:
        self.root = Path(root).expanduser() if root is not None else None

    def path(self, name: str, fingerprint: bytes) -> Path:
        """File of an entry: `name` is its readable part and may contain `/`, `fingerprint` is of
        all that the map is computed from beside the scan."""
        assert self.root is not None
        return self.root / f'{name}_v{CACHE_VERSION}_{zlib.crc32(fingerprint):08x}.npz'

    def get(self, name: str, fingerprint: bytes, build: Callable[[], np.ndarray]) -> np.ndarray:
        """The cached map (H, W) float32 metres, 0 = nothing measured, or that of `build`, which is
        then cached."""
        if self.root is None:
            return build()
        path = self.path(name, fingerprint)
        try:
            mend = 'it is built again'
            stored = read_arrays(path, mend, ('shape', 'index', 'depth'))
            return fill_map(path, mend, *stored.values())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            MMLogger.get_current_instance().warning(str(error))
        depth = build()
        index = np.flatnonzero(depth).astype(np.uint32)
        stream = io.BytesIO()
        np.savez(stream, index=index, depth=depth.reshape(-1)[index], shape=np.array(depth.shape))
        try:
            atomic_write(path, stream.getvalue())
        except OSError as error:
            mend = 'set gt_cache_dir to a folder that can be written, or to None'
            raise OSError(f'cannot write the depth cache file {path}: {error}; {mend}') from error
        return depth

"""A cache of sparse depth maps on disk that any number of processes may use at once."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmscd.utils.files import atomic_write

# raise it when the projection changes, so that old files are not taken for new ones
CACHE_VERSION = 1


class DepthCache:
    """Lossless float32 depth maps, one npz file each (pixel indices, depths, shape).

    Files are written under a temporary name and renamed, so a reader sees a whole file or none.
    A file that cannot be read is built again.

    Args:
        root: folder of the cache, made when the first file is written; None: nothing is cached.
    """

    def __init__(self, root: str | None) -> None:
        self.root = Path(root).expanduser() if root is not None else None

    def path(self, name: str, fingerprint: bytes) -> Path:
        """File of an entry.

        Args:
            name: readable part, may contain `/`.
            fingerprint: of everything that the depth map is computed from beside the scan.
        """
        if self.root is None:
            raise ValueError('the cache has no folder')
        return self.root / f'{name}_v{CACHE_VERSION}_{zlib.crc32(fingerprint):08x}.npz'

    def get(self, name: str, fingerprint: bytes, build: Callable[[], np.ndarray]) -> np.ndarray:
        """The cached map, or that of `build` (and it is cached).

        Returns:
            (H, W) float32 metres, 0 where nothing was measured.
        """
        if self.root is None:
            return build()
        path = self.path(name, fingerprint)
        try:
            return self._read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            MMLogger.get_current_instance().warning(f'{path} is broken, built again: {error}')
        depth = build()
        self._write(path, depth)
        return depth

    @staticmethod
    def _read(path: Path) -> np.ndarray:
        with np.load(path, allow_pickle=False) as stored:
            depth = np.zeros(stored['shape'], np.float32)
            depth.reshape(-1)[stored['index']] = stored['depth']
        if depth.ndim != 2:
            raise ValueError(f'expected a map, got shape {depth.shape}')
        return depth

    @staticmethod
    def _write(path: Path, depth: np.ndarray) -> None:
        index = np.flatnonzero(depth).astype(np.uint32)
        stream = io.BytesIO()
        np.savez(stream, index=index, depth=depth.reshape(-1)[index], shape=np.array(depth.shape))
        try:
            atomic_write(path, stream.getvalue())
        except OSError as error:
            raise OSError(
                f'cannot write the depth cache file {path}: {error}; set gt_cache_dir to a folder '
                'that can be written, or to None'
            ) from error

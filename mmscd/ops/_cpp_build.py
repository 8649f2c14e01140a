"""C++ kernels, built on first use and kept in the user's cache.

The source knows nothing of PyTorch or Python: any C++17 compiler builds it within seconds, neither
headers nor ninja are needed, and the result fits every version of both.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from ctypes import CDLL
from pathlib import Path

import torch

from mmscd.utils.files import atomic_write

SOURCE = Path(__file__).with_name('_warped_error.cpp')
COMPILERS = ('c++', 'g++', 'clang++')
_FLAGS = '-O3 -std=c++17 -fPIC -shared -fno-math-errno -fno-trapping-math -fno-signed-zeros'.split()
# by what PyTorch itself has found the processor to be, so that one cache may serve many machines
_FLAGS_OF_CAPABILITY = {
    'AVX2': ['-mavx2', '-mfma'],
    'AVX512': [
        *('-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma'),
        '-mprefer-vector-width=512',
    ],
}


@functools.cache
def load_kernels() -> CDLL | str:
    """The kernels, or the reason why there are none, as the end of a sentence."""
    try:
        return _load()
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        return ' '.join(str(error).split())


def _load() -> CDLL:
    capability = torch.backends.cpu.get_cpu_capability()
    flags = [*_FLAGS, *_FLAGS_OF_CAPABILITY.get(capability, [])]
    machine = f'{sys.platform} {platform.machine()}'.encode()
    key = hashlib.sha256(SOURCE.read_bytes() + machine + ' '.join(flags).encode()).hexdigest()
    built = Path(torch.hub.get_dir()).parent / 'mmscd' / f'{SOURCE.stem[1:]}-{key[:16]}.so'
    if not built.is_file():
        # processes that come here at once build one each; the last one's file stays
        atomic_write(built, _build(flags))
    return CDLL(str(built))


def _build(flags: list[str]) -> bytes:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise RuntimeError(f'there is no C++ compiler ({", ".join(COMPILERS)}): install one')
    with tempfile.TemporaryDirectory(prefix='mmscd_build_') as folder:
        out = Path(folder) / 'kernels.so'
        for threads in (['-fopenmp'], []):  # not every compiler has OpenMP: then one thread
            command = [compiler, *flags, *threads, str(SOURCE), '-o', str(out)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode == 0:
                return out.read_bytes()
    raise RuntimeError(f'{compiler} failed: {done.stderr.strip()[:300]}')

"""Which form of an operation runs: plain PyTorch or Triton kernels."""

from __future__ import annotations

import functools
import importlib.util

import torch
from torch import Tensor

KERNELS = ('auto', 'torch', 'triton')


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec('triton') is not None


def choose_triton(kernels: str, like: Tensor) -> bool:
    """Whether Triton kernels shall work on tensors such as `like`.

    Args:
        kernels: `auto`: on CUDA in float32, where Triton is installed; `torch`: never; `triton`:
            always, on a CPU by Triton's interpreter (`TRITON_INTERPRET=1`), which is for tests.
        like: a tensor of the operation.

    Raises:
        ValueError: another word, or `triton` where it is not installed.
    """
    if kernels == 'auto':
        return like.is_cuda and like.dtype == torch.float32 and _has_triton()
    if kernels == 'triton' and not _has_triton():
        raise ValueError("kernels='triton': Triton is not installed; use 'auto' or 'torch'")
    if kernels not in KERNELS:
        raise ValueError(f'kernels must be one of {KERNELS}, got {kernels!r}')
    return kernels == 'triton'

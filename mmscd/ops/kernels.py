"""Which form of an operation runs: plain PyTorch or Triton kernels."""

from __future__ import annotations

import functools
import importlib.util

import torch

KERNELS = ('torch', 'triton')


@functools.cache
def has_triton() -> bool:
    """Whether Triton's kernels can be used: it is installed, and PyTorch is 2.4 or newer."""
    return importlib.util.find_spec('triton') is not None and hasattr(torch.library, 'custom_op')


def choose_triton(kernels: str) -> bool:
    """Whether `kernels` asks for Triton's: `torch` or `triton`, which on a CPU is for tests, by
    Triton's interpreter (`TRITON_INTERPRET=1`). ValueError: another word, or no Triton here."""
    if kernels not in KERNELS:
        raise ValueError(f'kernels must be one of {KERNELS}, got {kernels!r}')
    if kernels == 'triton' and not has_triton():
        raise ValueError("kernels='triton' needs Triton and PyTorch 2.4; else use 'torch'")
    return kernels == 'triton'

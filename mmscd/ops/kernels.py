"""Which form of an operation runs: plain PyTorch, Triton kernels, or a C++ kernel for CPUs."""

from __future__ import annotations

import functools
import importlib.util

import torch

KERNELS = ('auto', 'torch', 'triton', 'cpp')


@functools.cache
def has_triton() -> bool:
    """Whether Triton's kernels can be used: it is installed, and PyTorch is 2.4 or newer."""
    return importlib.util.find_spec('triton') is not None and hasattr(torch.library, 'custom_op')


def why_no_cpp(device: str) -> str | None:
    """Why the C++ kernel cannot run on a device, as the end of a sentence; None where it can. The
    first call builds the kernel, which takes some seconds."""
    if device != 'cpu':
        return f'it is for CPUs, and the tensors are on {device}'
    if not hasattr(torch.library, 'custom_op'):
        return f'it needs PyTorch 2.4, and this is {torch.__version__}'
    from ._cpp_build import load_kernels

    built = load_kernels()
    return built if isinstance(built, str) else None


def choose_form(kernels: str, device: str) -> tuple[str, str | None]:
    """The form that runs on a type of device, and a sentence on what stands in the way of a faster.

    Args:
        kernels: `torch`; `triton`, which on a CPU is for tests, by Triton's interpreter
            (`TRITON_INTERPRET=1`); `cpp`; or `auto`: `cpp` on a CPU where it can be built, else
            `torch`.
        device: as in `torch.device.type`.

    Raises:
        ValueError: another word, or a form that cannot run here.
    """
    if kernels not in KERNELS:
        raise ValueError(f'kernels must be one of {KERNELS}, got {kernels!r}')
    if kernels == 'triton' and not has_triton():
        raise ValueError("kernels='triton' needs Triton and PyTorch 2.4; else use 'torch'")
    if kernels == 'cpp' or (kernels == 'auto' and device == 'cpu'):
        reason = why_no_cpp(device)
        if reason is None:
            return 'cpp', None
        if kernels == 'cpp':
            raise ValueError(f"kernels='cpp' cannot run: {reason}; else use 'torch'")
        return 'torch', f'the photometric loss runs four times slower than by C++: {reason}'
    return ('torch' if kernels == 'auto' else kernels), None

"""Random numbers as a pure function of a key: no generator, no state, same on every device.

A key is one int64 per sample, made by the sampler from (seed, position in the sample stream). Every
random decision about a sample is drawn from its key and the name of the decision, so a resumed run,
another batch layout or another number of processes draws the same numbers.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def _signed(value: int) -> int:
    """The int64 with the same 64 bits."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's `>>` on int64 copies the sign bit."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """The splitmix64 finaliser (Steele et al., "Fast splittable generators", 2014) on int64."""
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def make_key(seed: int, position: int) -> int:
    """Key of the sample at `position` of the stream with `seed`; an int64 as a Python int.

    In Python's numbers what `_mix` does: one key a sample is made where training waits for it.
    """
    key = 0
    for value in (seed * 2 + 1, position):
        key = (key + value * _GOLDEN) & _MASK
        key = ((key ^ (key >> 30)) * _MIX_1) & _MASK
        key = ((key ^ (key >> 27)) * _MIX_2) & _MASK
        key ^= key >> 31
    return _signed(key)


def uniform(key: Tensor, name: str, count: int = 1) -> Tensor:
    """Uniform numbers in [0, 1) for every key.

    Args:
        key: int64 (B,).
        name: which decision; different names give independent numbers.
        count: numbers per key.

    Returns:
        float64 (B, count) on the key's device, the same bits on every device.
    """
    return uniform_many(key, {name: count})[name]


def uniform_many(key: Tensor, counts: Mapping[str, int]) -> dict[str, Tensor]:
    """What `uniform` gives for several names, at the price of one: some thirty operations, each of
    which is a kernel to start on a GPU. `counts` are numbers per key, by name; float64 (B, count)
    by name."""
    if key.dtype != torch.int64 or key.ndim != 1:
        raise ValueError(f'key must be an int64 vector, got {key.dtype} of shape {key.shape}')
    salt, counter = _constants(tuple(counts.items()), key.device)
    bits = _mix(_mix(key[:, None] ^ salt) + counter)
    draws = _shift_right(bits, 11).to(torch.float64) * 2.0**-53
    return dict(zip(counts, draws.split(list(counts.values()), 1), strict=True))


# not to be traced: integers of 64 bits overflow in a compiler's analysis of indices
@torch.compiler.assume_constant_result
def _constants(counts: tuple[tuple[str, int], ...], device: torch.device) -> Tensor:
    return _salts_and_counters(counts, device)


@functools.lru_cache(maxsize=64)
def _salts_and_counters(counts: tuple[tuple[str, int], ...], device: torch.device) -> Tensor:
    """Salt and counter of every number, int64 (2, numbers). Copied to the device once, so that no
    later step waits for it, and steps can be captured."""
    numbers = [(name.encode(), i) for name, size in counts for i in range(1, size + 1)]
    salts = [_signed(zlib.crc32(name) * 0x9E3779B97F4A7C15) for name, _ in numbers]
    return torch.tensor([salts, [_signed(i * _GOLDEN) for _, i in numbers]]).to(device)

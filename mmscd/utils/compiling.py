"""Functions of tensors compiled whole, where a model asks for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from .names import check_names

# what `torch.compile` compiles by; tests may take `aot_eager`, which needs no compiler
BACKEND = 'inductor'
PARTS = ('preprocessor', 'networks', 'losses', 'distiller')


def parts_to_compile(choice: bool | Sequence[str]) -> tuple[str, ...]:
    """What `model.compile` says: all of `PARTS`, none or some; other names are refused."""
    if isinstance(choice, bool):
        return PARTS if choice else ()
    check_names('part in model.compile', choice, PARTS)
    return tuple(choice)


@functools.cache
def _whole(function: Callable) -> Callable:
    return torch.compile(function, fullgraph=True, dynamic=False, backend=BACKEND)


def run(compiled: bool, function: Callable, *args: Any) -> Any:
    """`function(*args)`, by `torch.compile` if `compiled`; RuntimeError where that is impossible.

    The function is a network, or belongs to a module or a class and is not made anew in each call:
    it is compiled once for every combination of shapes, types and numbers in Python. Values are
    those of the plain call up to rounding.
    """
    if not compiled:
        return function(*args)
    if isinstance(function, nn.Module):
        function, args = type(function).forward, (function, *args)
    try:
        return _whole(function)(*args)
    except torch._dynamo.exc.TorchDynamoException as error:
        raise RuntimeError(
            f'{function.__qualname__} cannot be compiled here: set model.compile=False, or name '
            f'parts of {PARTS} without it ({str(error).strip().splitlines()[0]})'
        ) from error


def compile_parts(
    choice: bool | Sequence[str], preprocessor: nn.Module, networks: Iterable[nn.Module | None]
) -> tuple[str, ...]:
    """`parts_to_compile`; of them, from now on, the preprocessor (by its flag `compiled`) and the
    networks' forward in training mode are. What networks say in evaluation mode, their parameters'
    names and copies of them, which are not compiled, stay as they are. Their own hooks run as ever,
    those of modules in them do not."""
    parts = parts_to_compile(choice)
    preprocessor.compiled = 'preprocessor' in parts
    for network in networks:
        if network is not None and 'networks' in parts:
            # what `nn.Module.compile` sets: copies and pickles leave it out
            network._compiled_call_impl = functools.partial(_call, network)
    return parts


def _call(network: nn.Module, *args: Any) -> Any:
    if network.training:
        network.__dict__['forward'] = functools.partial(run, True, network)
    try:
        return network._call_impl(*args)
    finally:
        network.__dict__.pop('forward', None)

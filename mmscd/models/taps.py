"""Recording of what chosen modules of a network put out, by their path."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class TapRecorder:
    """Feature maps of named modules, taken by forward hooks while a context is open.

    A tap names a module by its path, as in `nn.Module.get_submodule`, and, where the module puts
    out several maps, which one. A module that runs more than once leaves its last output, and a
    network that changes an output in place leaves the changed one, unless `snapshot`.

    Args:
        taps: dicts with `module` (path; `''` is the root), optional `index` (int into a tuple or
            list, key into a mapping; None for a module that puts out one tensor). Other keys
            (`channels`, `stride`) are the caller's.
        snapshot: keep a copy of a module's first output, which nothing that runs later changes.

    Raises:
        ValueError: a tap lacks `module`.

    Example:
        >>> recorder = TapRecorder([dict(module='backbone', index=2)])
        >>> with recorder.recording(model) as maps:
        ...     model(image)
        >>> maps[0].shape
    """

    def __init__(self, taps: Sequence[Mapping[str, Any]], snapshot: bool = False) -> None:
        self.snapshot = snapshot
        self.taps = [dict(tap) for tap in taps]
        for tap in self.taps:
            if not isinstance(tap.get('module'), str):
                raise ValueError(
                    f"a tap needs the path of a module, as in dict(module='backbone', index=2); "
                    f'got {tap}'
                )

    @contextmanager
    def recording(self, module: nn.Module) -> Iterator[list[Tensor]]:
        """While open, a list with one entry per tap of the network, in their order: None until the
        module has run, then its map, attached to the autograd graph if there is one.

        Raises:
            ValueError: the network has no module of that path, or the output has no such index.
            RuntimeError: on leaving without another error, a tapped module has not run.
        """
        tapped = [find_module(module, tap['module']) for tap in self.taps]
        maps: list[Any] = [None] * len(self.taps)
        handles = []
        try:
            for position, (tap, owner) in enumerate(zip(self.taps, tapped, strict=True)):
                handles.append(owner.register_forward_hook(self._hook(maps, position, tap)))
            yield maps
        finally:
            for handle in handles:
                handle.remove()
        missed = [describe_tap(t) for t, m in zip(self.taps, maps, strict=True) if m is None]
        if missed:
            raise RuntimeError(
                f'{", ".join(missed)} of {type(module).__name__} did not run while its taps were '
                'open; tap a module that takes part in the forward pass'
            )

    def _hook(self, maps: list[Any], position: int, tap: Mapping[str, Any]) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if self.snapshot and maps[position] is not None:
                return
            feat = _pick(output, tap, type(module).__name__)
            maps[position] = feat.clone() if self.snapshot else feat

        return hook


def describe_tap(tap: Mapping[str, Any]) -> str:
    """A tap in words: `backbone[2]`, `decode_head.conv`."""
    index = tap.get('index')
    return tap['module'] if index is None else f'{tap["module"]}[{index}]'


def find_module(root: nn.Module, path: str) -> nn.Module:
    """The submodule of that path; if there is none, the ValueError names paths that are close."""
    modules = dict(root.named_modules(remove_duplicate=False))
    if path in modules:
        return modules[path]
    close = difflib.get_close_matches(path, modules, n=5, cutoff=0.5)
    hint = ', '.join(close) or ', '.join(name for name, _ in root.named_children())
    raise ValueError(
        f'{type(root).__name__} has no module {path!r} to tap; close to it or present: {hint}'
    )


def _pick(output: Any, tap: Mapping[str, Any], owner: str) -> Tensor:
    """The tapped tensor out of what a module put out."""
    index, name = tap.get('index'), describe_tap(tap)
    if isinstance(output, Tensor):
        if index is None:
            return output
        raise ValueError(f'{name}: {owner} puts out one tensor; leave `index` out of the tap')
    if isinstance(output, Mapping):
        present: list[Any] = list(output)
    elif isinstance(output, (tuple, list)):
        present = list(range(len(output)))
    else:
        raise ValueError(f'{name}: {owner} puts out a {type(output).__name__}, not feature maps')
    if index is None and len(present) == 1:
        index = present[0]
    if index not in present and not (isinstance(index, int) and index + len(present) in present):
        raise ValueError(
            f'{name}: {owner} puts out {len(present)} maps; `index` must be one of {present}, '
            f'got {index!r}'
        )
    if not isinstance(output[index], Tensor):
        raise ValueError(
            f'{name}: {owner} puts out a {type(output[index]).__name__} there, not a tensor'
        )
    return output[index]

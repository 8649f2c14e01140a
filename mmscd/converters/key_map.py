"""The books of a conversion: every parameter is mapped, dropped for a reason, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmscd.utils.weights import some


class UnmappedKeysError(ValueError):
    """Parameters that have no place in the target, or that it lacks: `what` names the file,
    `shapes` gives (shape in the file, expected shape) by name, `hint` says what the file may be or
    what to do."""

    def __init__(
        self,
        what: str,
        unknown: Iterable[str] = (),
        missing: Iterable[str] = (),
        shapes: Mapping[str, tuple] | None = None,
        hint: str = '',
    ) -> None:
        other = [f'{k} {tuple(a)}, expected {tuple(b)}' for k, (a, b) in (shapes or {}).items()]
        parts = [hint] if hint else []
        for title, names in (
            ('no place for', list(unknown)), ('missing', list(missing)), ('other shape', other),
        ):  # fmt: skip
            if names:
                parts.append(f'{title} {len(names)} ({some(names)})')
        super().__init__(f'{what} cannot be mapped: {"; ".join(parts)}')


@dataclass
class KeyMap:
    """What became of every parameter: `weights` and `sources` (`file: name`) by new name;
    `dropped`: `file: name` -> why it is not needed."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: Tensor, source: str) -> None:
        """Map one parameter; float16 and the like become float32."""
        kind = torch.float32 if value.is_floating_point() else value.dtype
        # a copy: a part of a tensor would be saved with the whole of it
        self.weights[name] = value.detach().to(kind, copy=True).contiguous()
        self.sources[name] = source

    def rename(
        self,
        state: Mapping[str, Tensor],
        names: Mapping[str, str],
        wanted: Mapping[str, Tensor],
        what: str,
        target: str = '',
        hint: str = 'it is not the published network',
    ) -> None:
        """Map a file by a table of names.

        Args:
            state: of the file.
            names: name in the file -> our name.
            wanted: ours, for the shapes.
            what: names the file in messages.
            target: prefix of the new names.
            hint: what a file that does not fit may be.

        Raises:
            UnmappedKeysError: a name is unknown or missing, or a shape differs.
        """
        old = {new: name for name, new in names.items()}
        unknown = [key for key in state if names.get(key) not in wanted]
        missing = [old.get(new, new) for new in wanted if old.get(new) not in state]
        shapes = {
            key: (state[key].shape, wanted[new].shape)
            for key, new in names.items()
            if key in state and new in wanted and state[key].shape != wanted[new].shape
        }
        if unknown or missing or shapes:
            raise UnmappedKeysError(what, unknown, missing, shapes, hint)
        for key, value in state.items():
            self.add(target + names[key], value, f'{what}: {key}')

    def describe(self, every: bool = False) -> str:
        """Lines about what was mapped, by part or by `every` parameter, and what was dropped."""
        lines = []
        if every:
            width = max(map(len, self.sources.values()), default=0)
            lines += [f'  {old:<{width}} -> {new}' for new, old in self.sources.items()]
        for part in dict.fromkeys(name.split('.')[0] for name in self.weights):
            tensors = [v for name, v in self.weights.items() if name.split('.')[0] == part]
            count = sum(tensor.numel() for tensor in tensors)
            lines.append(f'mapped {part}: {len(tensors)} tensors, {count / 1e6:.2f} M numbers')
        for reason in dict.fromkeys(self.dropped.values()):
            names = [name for name, why in self.dropped.items() if why == reason]
            lines.append(f'dropped, {reason}: {", ".join(names)}')
        return '\n'.join(lines)

"""The books of a conversion: every parameter is mapped, dropped for a reason, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

SHOWN = 20


class UnmappedKeysError(ValueError):
    """Parameters that have no place in the target, or that it lacks.

    Args:
        what: names the file and what it was taken for.
        unknown: names in the file that have no place.
        missing: names that the file should have and has not.
        shapes: name -> (shape in the file, expected shape).
        hint: what to do.
    """

    def __init__(
        self,
        what: str,
        unknown: Iterable[str] = (),
        missing: Iterable[str] = (),
        shapes: Mapping[str, tuple] | None = None,
        hint: str = '',
    ) -> None:
        other = [f'{k} {tuple(a)}, expected {tuple(b)}' for k, (a, b) in (shapes or {}).items()]
        lists = dict(
            [('no place for', list(unknown)), ('missing', list(missing)), ('other shape', other)]
        )
        lines = [f'{what} cannot be mapped{": " + hint if hint else ""}']
        for title, names in lists.items():
            if names:
                lines.append(f'  {title} ({len(names)}):')
                lines += [f'    {name}' for name in names[:SHOWN]]
                lines += [f'    ... and {len(names) - SHOWN} more'] if len(names) > SHOWN else []
        super().__init__('\n'.join(lines))


@dataclass
class KeyMap:
    """What became of every parameter.

    Attributes:
        weights: new name -> tensor.
        sources: new name -> where it comes from, `file: name`.
        dropped: `file: name` -> why it is not needed.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: Tensor, source: str) -> None:
        """Map one parameter; float16 and the like become float32."""
        kind = torch.float32 if value.is_floating_point() else value.dtype
        # a copy: a part of a tensor would be saved with the whole of it
        self.weights[name] = value.detach().to(kind, copy=True).contiguous()
        self.sources[name] = source

    def update(self, other: KeyMap) -> None:
        """Take in another map."""
        self.weights.update(other.weights)
        self.sources.update(other.sources)
        self.dropped.update(other.dropped)

    def describe(self, every: bool = False) -> str:
        """Lines about what was mapped, by part, and what was dropped.

        Args:
            every: a line for every parameter.
        """
        lines = []
        if every:
            width = max(map(len, self.sources.values()), default=0)
            lines += [f'  {old:<{width}} -> {new}' for new, old in self.sources.items()]
        groups: dict[str, list[str]] = {}
        for name in self.weights:
            groups.setdefault(name.rsplit('.', 1)[0].split('.')[0], []).append(name)
        for part, names in groups.items():
            count = sum(self.weights[name].numel() for name in names)
            lines.append(f'mapped {part}: {len(names)} tensors, {count / 1e6:.2f} M numbers')
        reasons: dict[str, list[str]] = {}
        for name, reason in self.dropped.items():
            reasons.setdefault(reason, []).append(name)
        for reason, names in reasons.items():
            lines.append(f'dropped, {reason}: {", ".join(names)}')
        return '\n'.join(lines)


def drop_counters(state: dict[str, Tensor], what: str) -> dict[str, str]:
    """Take out what a FLOP counter (thop) left among the weights.

    Args:
        state: changed in place.
        what: names the file.

    Returns:
        `what: name` -> reason, as in `KeyMap.dropped`.
    """
    found = [key for key in state if key.split('.')[-1] in ('total_ops', 'total_params')]
    for key in found:
        del state[key]
    return {f'{what}: {key}': "a FLOP counter's number" for key in found}

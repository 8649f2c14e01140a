"""Checkpoints that are whole files, and hold something else than a checkpoint does."""

from __future__ import annotations

import io
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

ODD = [None, 1, 2.5, 'abc', [], {}, [1, 'a'], {'a': None}, b'x', True, (1,), float('nan'), 10**30]


def spoil_checkpoint(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """What was done, and the new content."""
    stored = torch.load(io.BytesIO(data), weights_only=True)
    where = next((k for k in ('state_dict', 'model') if k in stored), None)
    state = stored[where] if where else stored
    keys = [k for k, v in state.items() if isinstance(v, torch.Tensor)]
    key = rng.choice(keys)
    value = state[key]

    def put(new: Any) -> Any:
        state[key] = new
        return stored

    def whole(new: Any) -> Any:
        if where is None:
            return new
        stored[where] = new
        return stored

    floats = value.float() if value.is_floating_point() else torch.ones(value.shape)
    circle: dict = {}
    circle['d'] = circle
    table: dict[str, Callable[[], Any]] = {
        'none': lambda: None,
        'list': lambda: [1, 2],
        'tensor': lambda: torch.ones(3),
        'nothing': lambda: {},
        'circle': lambda: circle,
        'state none': lambda: whole(None),
        'state list': lambda: whole([1]),
        'state empty': lambda: whole({}),
        'state words': lambda: whole('abc'),
        'int keys': lambda: whole({i: v for i, v in enumerate(state.values())}),
        'tuple keys': lambda: whole({(k, 1): v for k, v in state.items()}),
        'values': lambda: whole(dict.fromkeys(state, 'abc')),
        'numbers': lambda: whole(dict.fromkeys(state, 1.0)),
        'one number': lambda: put(1.0),
        'one none': lambda: put(None),
        'nan': lambda: put(torch.full_like(floats, float('nan'))),
        'inf': lambda: put(torch.full_like(floats, float('inf'))),
        'scalar': lambda: put(torch.tensor(1.0)),
        'no values': lambda: put(torch.zeros(0)),
        'rank': lambda: put(value[None]),
        'one less': lambda: put(value[:-1] if value.ndim else torch.ones(2)),
        'complex': lambda: put(floats * 1j),
        'bool': lambda: put(floats > 0),
        'int8': lambda: put(floats.to(torch.int8)),
        'half': lambda: put(floats.half()),
        'double': lambda: put(floats.double()),
        'float8': lambda: put(floats.to(torch.float8_e4m3fn)),
        'sparse': lambda: put(floats.to_sparse()),
        'quantised': lambda: put(torch.quantize_per_tensor(floats, 0.1, 0, torch.qint8)),
        'meta tensor': lambda: put(torch.empty(value.shape, device='meta')),
        'huge': lambda: put(torch.zeros(1).expand(10**12)),
        'all huge': lambda: whole({k: torch.zeros(1).expand(10**6, 10**6) for k in state}),
        'parameter': lambda: put(torch.nn.Parameter(floats)),
        'without': lambda: (state.pop(key), stored)[1],
        'prefix': lambda: whole({f'module.{k}': v for k, v in state.items()}),
        'other prefix': lambda: whole({f'net.{k}': v for k, v in state.items()}),
        'extra': lambda: (state.update(more=torch.ones(2)), stored)[1],
        'ordered': lambda: whole(OrderedDict(reversed(state.items()))),
        'lone surrogate': lambda: (state.update({'\ud800': torch.ones(1)}), stored)[1],
    }
    others = [k for k in stored if k != where] if where else []
    name = rng.choice([*table, *(f'other {k}' for k in others), *(f'inside {k}' for k in others)])
    if name in table:
        return name, _save(table[name]())
    key = name.split(' ', 1)[1]
    odd = rng.choice(ODD)
    if name.startswith('other'):
        stored[key] = odd
        return f'{key}={odd!r:.20}', _save(stored)
    return f'{name} {_change(stored[key], odd, rng)}', _save(stored)


def _change(value: Any, odd: Any, rng: random.Random) -> str:
    """Replace or remove something inside of nested dicts and lists."""
    path = ''
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        path += f'.{key}'
        deeper = isinstance(value[key], (dict, list)) and value[key] and rng.random() < 0.7
        if deeper:
            value = value[key]
        elif rng.random() < 0.3:
            del value[key]
            return f'{path} removed'
        else:
            value[key] = odd
            return f'{path}={odd!r:.20}'
    return path


def _save(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()

"""Weight files of other projects, read without running code that they may contain."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmscd.utils.compat import load_checkpoint_file

# where the weights may be inside a checkpoint
NESTS = ('state_dict', 'model', 'model_state_dict')
_DTYPES = dict(
    F64=torch.float64, F32=torch.float32, F16=torch.float16, BF16=torch.bfloat16,
    I64=torch.int64, I32=torch.int32, I16=torch.int16, I8=torch.int8, U8=torch.uint8,
    BOOL=torch.bool,
)  # fmt: skip


def read_weights(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and what else lies beside them.

    A `state_dict` inside a checkpoint is found, and DataParallel's prefix `module.` is taken off.

    Args:
        path: a file of `torch.save` or a `.safetensors` file.

    Returns:
        tensors on the CPU, plain values.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing, broken or holds code.
        ValueError: it holds no named tensors.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        content = read_safetensors(path)
    else:
        content = load_checkpoint_file(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds a {type(content).__name__}, expected weights by name')
    for nest in NESTS:
        if isinstance(content.get(nest), dict):
            content = content[nest]
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor) and v.ndim >= 0}
    if not tensors:
        raise ValueError(f'{path} holds no weights by name, found {sorted(map(str, content))[:8]}')
    values = {k: v for k, v in content.items() if k not in tensors}
    if all(key.startswith('module.') for key in tensors):
        tensors = {key.removeprefix('module.'): value for key, value in tensors.items()}
    return tensors, values


def read_safetensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Tensors of a .safetensors file: the length of a header, a header in JSON, raw numbers.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: it is broken.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; check the path')
    data = path.read_bytes()
    try:
        (length,) = struct.unpack_from('<Q', data)
        header = json.loads(data[8 : 8 + length])
        header.pop('__metadata__', None)
        body = bytearray(data[8 + length :])
        return {name: _read_tensor(entry, body) for name, entry in header.items()}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise RuntimeError(f'{path} is no whole .safetensors file: {error}') from error


def _read_tensor(entry: dict[str, Any], body: bytearray) -> Tensor:
    begin, end = entry['data_offsets']
    dtype, shape = _DTYPES[entry['dtype']], entry['shape']
    if not 0 <= begin <= end <= len(body):
        raise ValueError(f'bytes {begin} to {end} of {len(body)}')
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    count = (end - begin) // dtype.itemsize
    return torch.frombuffer(body, dtype=dtype, count=count, offset=begin).reshape(shape).clone()

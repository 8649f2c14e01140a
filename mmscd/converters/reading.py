"""Weight files of other projects, read without running code that they may contain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from mmscd.utils.compat import load_checkpoint_file
from mmscd.utils.weights import SETTINGS, check_finite, named_tensors, unpack


def read_weights(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, on the CPU, and what else lies beside them.

    A `state_dict` inside a checkpoint is found, and DataParallel's prefix `module.` is taken off.

    Args:
        path: a file of `torch.save` or a `.safetensors` file.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing, broken or holds code.
        ValueError: it holds no named tensors.
    """
    path = Path(path)
    content = (_load_safetensors if path.suffix == '.safetensors' else load_checkpoint_file)(path)
    tensors = named_tensors(content, path)
    check_finite(tensors, path)
    return tensors, {k: v for k, v in unpack(content).items() if not isinstance(v, Tensor)}


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; check the path')
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise RuntimeError(f'{path} is no whole .safetensors file: {error}') from error


def read_folder(
    folder: str | Path, pose: bool = True
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, str]]:
    """Tensors by file and name of a folder as `convert_folder` takes it; the settings in
    encoder.pth; what is neither, with the reason. FileNotFoundError, RuntimeError: a file is
    missing, broken or holds code."""
    folder = Path(folder)
    names = ('encoder', 'depth', 'pose_encoder', 'pose')
    there = [name for name in names if (folder / f'{name}.pth').is_file()]
    wanted = names if pose and set(there) & set(names[2:]) else names[:2]
    missing = [f'{name}.pth' for name in wanted if name not in there]
    if missing:
        raise FileNotFoundError(
            f'{folder} lacks {", ".join(missing)} (found: {", ".join(there) or "nothing"})'
            + ('; --no-pose converts the depth network alone' if 'depth' in there else '')
        )
    states, settings, others = {}, {}, {}
    for name in wanted:
        tensors, values = read_weights(folder / f'{name}.pth')
        for key in SETTINGS:  # some forks save them as tensors
            if key in tensors:
                values[key] = tensors.pop(key).tolist()
            if name == 'encoder' and key in values:
                settings[key] = value = values.pop(key)
                if value is not None and not (isinstance(value, (int, float)) and 0 <= value < 1e5):
                    raise ValueError(f'{folder / "encoder.pth"}: {key} is no number: {value!r}')
        counters = [k for k in tensors if k.split('.')[-1] in ('total_ops', 'total_params')]
        others.update({f'{name}.pth: {key}': "a FLOP counter's number" for key in counters})
        others.update({f'{name}.pth: {key}': 'no weight' for key in values})
        states[name] = {key: value for key, value in tensors.items() if key not in counters}
    return states, settings, others

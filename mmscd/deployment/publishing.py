"""A file to hand out of a training checkpoint: the weights that inference needs, no more."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmscd.engine.hooks.atomic_checkpoint_hook import to_plain
from mmscd.models import loading
from mmscd.utils.compat import load_checkpoint_file
from mmscd.utils.config import literal_config
from mmscd.utils.files import atomic_write
from mmscd.utils.weights import check_finite, named_tensors

HASH_DIGITS = 8
# of the config: what evaluation and prediction read; all else is about the training
INFERENCE_KEYS = {'model', 'default_scope', 'custom_imports', 'env_cfg', 'default_hooks'}
INFERENCE_KEYS |= {'log_level', 'log_processor', 'visualizer'}
META_KEYS = ('epoch', 'iter', 'seed', 'experiment_name', 'time', 'mmengine_version', 'dataset_meta')


def publish(source: Path, out: Path, pose: bool = True) -> str:
    """Write the published file, NAME-<first digits of its sha256>.pth of `out` NAME.pth, and return
    lines about what went and what was kept. ValueError: `out` has another suffix; `source` is no
    checkpoint of a training, or nothing of its weights is left.

    mmengine's EMAHook exchanges the two sets when it saves: `state_dict` already holds the averaged
    weights, and `ema_state_dict` those of the last step.
    """
    if out.suffix != '.pth':
        raise ValueError(f'OUT must end in .pth, got {out}')
    checkpoint = load_checkpoint_file(source)
    state: dict[str, Tensor] = named_tensors(checkpoint, source)
    check_finite(state, source)
    old = checkpoint.get('meta') if 'state_dict' in checkpoint else None
    if not isinstance(old, dict):
        raise ValueError(f'{source} lacks state_dict or meta: give a checkpoint of a training')
    gone: dict[str, int] = {}
    for part in loading.TRAINING_ONLY + (() if pose else ('pose_net.',)):
        taken = [state.pop(key) for key in list(state) if key.startswith(part)]
        gone |= {f'{part}*': _bytes(taken)} if taken else {}
    if not state:
        raise ValueError(f'nothing is left of {source}: is this a checkpoint of mmscd?')
    gone |= {str(k): _bytes(v) for k, v in checkpoint.items() if k not in ('state_dict', 'meta')}
    meta = {key: to_plain(old[key]) for key in META_KEYS if key in old}
    if (text := old.get('cfg')) is not None and str(text):
        meta['cfg'] = publish_config(str(text), pose, str(source))
    buffer = io.BytesIO()
    # clones: a part of a tensor would be saved with the whole of it
    state = {key: value.detach().clone() for key, value in state.items()}
    torch.save(dict(meta=meta, state_dict=state), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:HASH_DIGITS]
    path = out.with_name(f'{out.stem}-{digest}.pth')
    atomic_write(path, buffer.getvalue())
    lines = [f'removed {name:<22} {_size(size):>10}' for name, size in gone.items()]
    if 'ema_state_dict' in gone:
        lines.append('kept the averaged (EMA) weights, which is what `state_dict` holds')
    count = sum(value.numel() for value in state.values())
    lines.append(f'kept    {len(state)} tensors, {count / 1e6:.2f} M numbers')
    sizes = [_size(file.stat().st_size) for file in (source, path)]
    return '\n'.join([*lines, f'{source} {sizes[0]} -> {path} {sizes[1]}'])


def publish_config(text: str, pose: bool = True, source: str = 'the checkpoint') -> str:
    """The config of a training, as mmengine stores it in `meta['cfg']`, as one for inference that
    loads the published weights completely: model, data and evaluation, without losses, distiller,
    teacher, initial weights and everything else about the training."""
    cfg = Config(literal_config(text, source))
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'the config in {source} has no model: give a checkpoint of a training')
    cfg.model = loading.model_config(cfg.model, 'depth+pose' if pose else 'depth')
    for part in ('distiller', 'pixel_weights'):
        cfg.model.pop(part, None)
    for hook in ('distill', 'schedule'):
        cfg.get('default_hooks', {}).pop(hook, None)
    for key in list(cfg):
        if key not in INFERENCE_KEYS and not key.startswith(('val_', 'test_')):
            cfg.pop(key)
    return cfg.pretty_text


def _bytes(value: Any) -> int:
    """Of all tensors in nested containers."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_bytes, value)) if isinstance(value, (list, tuple)) else 0


def _size(count: int) -> str:
    return f'{count / 2**20:.1f} MiB'

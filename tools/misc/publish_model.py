"""Make a file to hand out of a training checkpoint: the weights that inference needs, no more.

Example: python tools/misc/publish_model.py work_dirs/NAME/iter_N.pth models/scd_r18_kitti.pth

Optimizer, schedulers, logs, the averaging's second set of weights, teacher settings and the
distillation's graph go. A short hash of the content becomes part of the name.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmscd.engine.hooks.atomic_checkpoint_hook import to_plain
from mmscd.models import loading
from mmscd.utils.compat import load_checkpoint_file
from mmscd.utils.files import atomic_write

HASH_DIGITS = 8
# of the config: what evaluation and prediction read; all else is about the training
INFERENCE_KEYS = {'model', 'default_scope', 'custom_imports', 'env_cfg', 'default_hooks'}
INFERENCE_KEYS |= {'log_level', 'log_processor', 'visualizer'}
INFERENCE_PREFIXES = ('val_', 'test_')
# of the weights: parts that no prediction passes through
TRAINING_PREFIXES = ('distiller.', 'pixel_weights.', 'losses.')
META_KEYS = ('epoch', 'iter', 'seed', 'experiment_name', 'time', 'mmengine_version', 'dataset_meta')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Make a file to hand out of a checkpoint.')
    parser.add_argument('checkpoint', help='of a training')
    parser.add_argument('out', help='NAME.pth; written as NAME-<hash>.pth')
    parser.add_argument(
        '--no-pose', action='store_true', help='leave out the pose net: single images only'
    )
    return parser.parse_args(argv)


def publish_config(text: str, pose: bool = True) -> str:
    """The config of a training as one for inference that loads the published weights completely.

    Args:
        text: what mmengine stores in `meta['cfg']`.
        pose: keep the pose net.

    Returns:
        The config's text: model, data and evaluation; without losses, distiller, teacher, initial
        weights and everything else about the training.
    """
    cfg = Config.fromstring(text, '.py')
    cfg.model = loading.model_config(cfg.model, 'depth+pose' if pose else 'depth')
    cfg.model.pop('distiller', None)
    cfg.model.pop('pixel_weights', None)
    cfg.get('default_hooks', {}).pop('distill', None)
    for key in list(cfg):
        if key not in INFERENCE_KEYS and not key.startswith(INFERENCE_PREFIXES):
            cfg.pop(key)
    return cfg.pretty_text


def publish_weights(
    checkpoint: dict[str, Any], pose: bool = True
) -> tuple[OrderedDict[str, Tensor], dict[str, int]]:
    """Weights for inference.

    mmengine's EMAHook exchanges the two sets when it saves: `state_dict` already holds the averaged
    weights, and `ema_state_dict` those of the last step.

    Args:
        checkpoint: as saved in training.
        pose: keep the pose net.

    Returns:
        The weights to keep, and the bytes that went by name of what went.

    Raises:
        ValueError: there is no `state_dict`, or nothing of it is left.
    """
    if not isinstance(checkpoint.get('state_dict'), dict):
        raise ValueError(f'expected a checkpoint with a state_dict, found {sorted(checkpoint)}')
    prefixes = TRAINING_PREFIXES + (() if pose else ('pose_net.',))
    kept, gone = OrderedDict(), {}
    for key, value in checkpoint['state_dict'].items():
        prefix = next((p for p in prefixes if key.startswith(p)), None)
        if prefix is None:
            kept[key] = value.detach().clone()
        else:
            gone[f'{prefix}*'] = gone.get(f'{prefix}*', 0) + value.nbytes
    if not kept:
        raise ValueError('nothing is left of the state_dict: is this a checkpoint of mmscd?')
    for key, value in checkpoint.items():
        if key not in ('state_dict', 'meta'):
            gone[key] = sum(t.nbytes for t in _tensors(value))
    return kept, gone


def write_published(content: dict[str, Any], out: Path) -> Path:
    """Write a checkpoint with the first digits of its sha256 in the name; returns the path."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()[:HASH_DIGITS]
    path = out.with_name(f'{out.stem}-{digest}.pth')
    atomic_write(path, data)
    return path


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list, tuple)):
        return [tensor for item in items for tensor in _tensors(item)]
    return []


def _size(count: int) -> str:
    return f'{count / 2**20:.1f} MiB'


def main(argv: Sequence[str] | None = None) -> None:
    """Publish."""
    args = parse_args(argv)
    out = Path(args.out)
    if out.suffix != '.pth':
        raise SystemExit(f'OUT must end in .pth, got {args.out}')
    source = Path(args.checkpoint)
    checkpoint = load_checkpoint_file(source)
    weights, gone = publish_weights(checkpoint, not args.no_pose)
    old = checkpoint.get('meta', {})
    meta = {key: to_plain(old[key]) for key in META_KEYS if key in old}
    if old.get('cfg'):
        meta['cfg'] = publish_config(old['cfg'], not args.no_pose)
    path = write_published(dict(meta=meta, state_dict=weights), out)
    for name, size in gone.items():
        print(f'removed {name:<22} {_size(size):>10}')
    if 'ema_state_dict' in gone:
        print('kept the averaged (EMA) weights, which is what `state_dict` holds')
    count = sum(value.numel() for value in weights.values())
    print(f'kept    {len(weights)} tensors, {count / 1e6:.2f} M numbers')
    print(f'{source} {_size(source.stat().st_size)} -> {path} {_size(path.stat().st_size)}')


if __name__ == '__main__':
    main()

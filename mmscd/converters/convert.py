"""From somebody else's files to a checkpoint, its config and a report: tried, then written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmscd.models import loading
from mmscd.utils import compat
from mmscd.utils.files import atomic_write

from .folder import STEREO_SCALE, convert_folder, make_config
from .reading import read_weights
from .resnet import convert_resnet


def convert(
    source: Path,
    out: Path,
    pose: bool = True,
    size: tuple[int, int] | None = None,
    min_depth: float = 0.1,
    max_depth: float = 100.0,
    every: bool = False,
    stereo: bool | None = None,
) -> str:
    """Convert and write.

    Args:
        source: a folder in Monodepth2's layout (Monodepth2, its forks, Lite-Mono), or a file with a
            ResNet's ImageNet weights.
        out: ends in .pth; of a folder, a config is written beside it.
        pose, size, min_depth, max_depth: of a folder, see `convert_folder` and `make_config`.
        every: report about every parameter.
        stereo: of a folder, see `convert_folder`.

    Returns:
        What became of the parameters, what they are, and what was written.

    Raises:
        FileNotFoundError, RuntimeError, ValueError: nothing was written, and why.
    """
    if source.is_dir():
        weights = convert_folder(source, pose, stereo)
        name = source.resolve().name
        text = make_config(weights, name, size, (min_depth, max_depth))
        meta = dict[str, Any](converted_from=weights.project, source=name, stereo=weights.stereo)
        meta['depth_scale'] = STEREO_SCALE if weights.stereo else None
        written = ' and '.join(map(str, write_converted(out, weights.keys.weights, meta, text)))
        kind = f'stereo (metric after x {STEREO_SCALE})' if weights.stereo else 'monocular'
        if weights.stereo is None:
            kind = (
                'depth up to scale, as encoder.pth does not say whether it learnt from stereo '
                'pairs (--stereo or --mono says it)'
            )
        if size is None and not weights.says_size:
            kind += ', 640x192 assumed, as encoder.pth does not say (--size says it)'
        pose_net = f'pose net ResNet-{weights.pose_depth}' if weights.pose_depth else 'no pose net'
        what = f'{weights.network}, {kind}, {pose_net}; the config loads all of it'
        return f'{weights.keys.describe(every)}\n{what}\nwrote {written}'
    if not source.is_file():
        raise FileNotFoundError(f'there is no folder {source}, nor a file of that name')
    keys, depth = convert_resnet(read_weights(source)[0], source.name)
    meta = dict[str, Any](converted_from='torchvision or timm', source=source.name, depth=depth)
    write_converted(out, keys.weights, meta)
    use = f"depth={depth}, init_cfg=dict(type='Pretrained', checkpoint='{out}')"
    return (
        f'{keys.describe(every)}\nResNet-{depth}\nwrote {out}\n'
        f"use: backbone=dict(type='ResNetEncoder', {use})"
    )


def build_and_load(config_text: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """The model of a config file's text with all its weights, in eval mode; ValueError where any
    are missing or have no place."""
    compat.apply()
    network = loading.build_network(Config.fromstring(config_text, '.py'), 'depth+pose')
    loading.load_weights(network, weights, 'all')
    return network


def write_converted(
    out: Path,
    weights: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    config_text: str | None = None,
) -> list[Path]:
    """Write OUT.pth and, beside it, OUT.py, and return their paths; nothing is written where the
    two do not fit. `meta` holds plain values about where the weights come from; `config_text` is
    None where they are of a part only."""
    if out.suffix != '.pth':
        raise ValueError(f'OUT must end in .pth, got {out}')
    written = [out]
    if config_text is not None:
        build_and_load(config_text, weights)
        written.append(out.with_suffix('.py'))
    buffer = io.BytesIO()
    torch.save(dict(meta=dict(meta), state_dict=dict(weights)), buffer)
    atomic_write(out, buffer.getvalue())
    if config_text is not None:
        atomic_write(written[-1], config_text.encode())
    return written

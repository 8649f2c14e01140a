"""Weights of Lite-Mono: encoder.pth and depth.pth, and a pose net as Monodepth2 has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mmscd.models.backbones.lite_mono import LiteMono
from mmscd.models.heads.lite_mono_head import LiteMonoHead

from .key_map import KeyMap, UnmappedKeysError
from .monodepth2 import map_pose, read_folder, rename

# published name -> ours, of the encoder
_RULES = (
    (r'downsample_layers\.0\.(\d)\.conv\.', r'stem.\1.0.'),
    (r'downsample_layers\.0\.(\d)\.bn_gelu\.bn\.', r'stem.\1.1.'),
    (r'stem2\.0\.conv\.', 'reduce.0.'),
    (r'downsample_layers\.([12])\.0\.conv\.', r'reduce.\1.'),
    (r'(stages\.\d\.\d+)\.ddwconv\.conv\.', r'\1.depthwise.'),
    (r'(stages\.\d\.\d+)\.bn1\.', r'\1.norm.'),
    (r'(stages\.\d\.\d+)\.pwconv1\.', r'\1.branch.expand.'),
    (r'(stages\.\d\.\d+)\.pwconv2\.', r'\1.branch.reduce.'),
    (r'(stages\.\d\.\d+)\.gamma$', r'\1.branch.gamma'),
    (r'(stages\.\d\.\d+)\.gamma_xca$', r'\1.gamma'),
    (r'(stages\.\d\.\d+)\.norm_xca\.', r'\1.norm_attention.'),
    (r'(stages\.\d\.\d+)\.xca\.proj\.', r'\1.attention.project.'),
    (r'(stages\.\d\.\d+)\.xca\.', r'\1.attention.'),
    (r'(stages\.\d\.\d+)\.pos_embd\.token_projection\.', r'\1.position.project.'),
)
_FOUR, _SEVEN = (1, 2, 3, 1, 2, 3, 2, 4, 6), (1, 2, 3, 2, 4, 6)
# at 1024x320
_WIDE = {3: 5, 6: 10}


@dataclass
class LiteMonoWeights:
    """A converted model.

    Attributes:
        channels, dilations: of the encoder.
        size: (width, height) of the input.
        stereo: trained with stereo pairs.
        scales: of the disparities.
        pose_depth: of the pose net's ResNet, None without a pose net.
        keys: what became of every parameter.
    """

    channels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    size: tuple[int, int]
    stereo: bool
    scales: tuple[int, ...]
    pose_depth: int | None = None
    keys: KeyMap = field(default_factory=KeyMap)


def is_lite_mono(state: Mapping[str, Tensor]) -> bool:
    """True for the parameter names of Lite-Mono's encoder."""
    return (
        any(key.startswith('downsample_layers.') for key in state)
        and 'stem2.0.conv.weight' in state
    )


def convert_lite_mono(folder: str | Path, pose: bool = True) -> LiteMonoWeights:
    """Read and map a folder of weights.

    Args:
        folder: with encoder.pth, depth.pth, and pose_encoder.pth and pose.pth or neither.
        pose: take the pose net too where it is there.

    Raises:
        FileNotFoundError, RuntimeError: a file is missing, broken or holds code.
        UnmappedKeysError: it is of another architecture.
    """
    states, settings, others = read_folder(folder, pose)
    encoder = states['encoder']
    if not is_lite_mono(encoder):
        raise UnmappedKeysError('encoder.pth', encoder, hint='it is no Lite-Mono')
    size = int(settings.get('width') or 640), int(settings.get('height') or 192)
    channels, dilations = find_shape(encoder, size)
    keys = map_encoder(encoder, channels, dilations)
    head, scales = map_head(states['depth'], channels)
    keys.update(head)
    keys.dropped.update(others)
    result = LiteMonoWeights(
        channels, dilations, size, bool(settings.get('use_stereo')), scales, keys=keys
    )
    if 'pose' in states:
        pose_keys, result.pose_depth = map_pose(states)
        keys.update(pose_keys)
    return result


def find_shape(
    state: Mapping[str, Tensor], size: tuple[int, int]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Channels, from the weights, and dilations, which no weight shows: from depth and size.

    Args:
        state: of the encoder.
        size: (width, height) of the input.
    """
    counts, channels = [0, 0, 0], [0, 0, 0]
    for key, value in state.items():
        if match := re.match(r'stages\.([0-2])\.(\d+)\.gamma$', key):
            stage = int(match[1])
            counts[stage] = max(counts[stage], int(match[2]) + 1)
            channels[stage] = len(value)
    third = {10: _FOUR, 7: _SEVEN}.get(counts[2])
    if counts[:2] != [4, 4] or third is None:
        raise UnmappedKeysError(
            'encoder.pth', hint=f'stages of {counts} blocks; known are 4, 4, 10 and 4, 4, 7'
        )
    dilations = ((1, 2, 3), (1, 2, 3), third)
    if size == (1024, 320):
        dilations = tuple(tuple(_WIDE.get(d, d) for d in row) for row in dilations)
    return tuple(channels), dilations


def map_encoder(
    state: Mapping[str, Tensor],
    channels: tuple[int, ...],
    dilations: tuple[tuple[int, ...], ...],
) -> KeyMap:
    """The names of our LiteMono, shapes checked; raises UnmappedKeysError."""
    with torch.device('meta'):
        wanted = LiteMono(channels, dilations).state_dict()
    names, unused = {}, {}
    for key in state:
        block = re.match(r'stages\.([0-2])\.(\d+)\.norm\.', key)
        if block and int(block[2]) < len(dilations[int(block[1])]):
            unused[f'encoder.pth: {key}'] = 'a normalisation that the published network never uses'
            continue
        new = key
        for pattern, replacement in _RULES:
            new, found = re.subn(f'^{pattern}', replacement, key)
            if found:
                break
        names[key] = new
    missing = set(wanted) - set(names.values())
    unknown = [key for key, new in names.items() if new not in wanted]
    if missing or unknown:
        hint = 'it is not the published network; what is missing is told in our names'
        raise UnmappedKeysError('encoder.pth', unknown, sorted(missing), hint=hint)
    kept = {key: value for key, value in state.items() if key in names}
    keys = rename(kept, names, wanted, 'encoder.pth', 'backbone.')
    keys.dropped.update(unused)
    return keys


def map_head(
    state: Mapping[str, Tensor], channels: tuple[int, ...]
) -> tuple[KeyMap, tuple[int, ...]]:
    """The names of our LiteMonoHead, and the scales; raises UnmappedKeysError."""
    names = {}
    for number, level in enumerate((2, 1, 0)):
        names[f'decoder.{2 * number}.conv.conv'] = f'reduce.{level}'
        names[f'decoder.{2 * number + 1}.conv.conv'] = f'fuse.{level}'
    widths, scales = [width // 2 for width in channels], []
    for number in range(6, 9):
        weight = state.get(f'decoder.{number}.conv.weight')
        if weight is not None and weight.ndim == 4 and weight.shape[1] in widths:
            scales.append(widths.index(weight.shape[1]))
            names[f'decoder.{number}.conv'] = f'predict.{scales[-1]}'
    if not scales or len(set(scales)) != len(scales):
        raise UnmappedKeysError(
            'depth.pth', state, hint='expected decoder.0 to decoder.5 and outputs decoder.6 ...'
        )
    with torch.device('meta'):
        wanted = LiteMonoHead(channels, sorted(scales)).state_dict()
    renamed = {f'{old}.{p}': f'{new}.{p}' for old, new in names.items() for p in ('weight', 'bias')}
    return rename(state, renamed, wanted, 'depth.pth', 'disp_head.'), tuple(sorted(scales))

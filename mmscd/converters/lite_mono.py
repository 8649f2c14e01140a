"""Weights of Lite-Mono: encoder.pth and depth.pth, and a pose net as Monodepth2 has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mmscd.models.backbones.lite_mono import LiteMono
from mmscd.models.heads.lite_mono_head import LiteMonoHead

from .key_map import KeyMap, UnmappedKeysError
from .monodepth2 import States, map_decoder

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


def map_lite_mono(states: States, keys: KeyMap, size: tuple[int, int]) -> dict[str, Any]:
    """Encoder and decoder under our names; the dilations follow from the input's (width, height).
    Returns `backbone`, `channels` and `scales` as in `Converted`; UnmappedKeysError for other
    networks."""
    channels, dilations = find_shape(states['encoder'], size)
    map_encoder(states['encoder'], channels, dilations, keys)
    widths = [width // 2 for width in channels]
    head = partial(LiteMonoHead, channels)
    scales = map_decoder(states['depth'], widths, (2, 1, 0), head, keys)
    backbone = dict(channels=channels, dilations=dilations)
    return dict(backbone=backbone, channels=channels, scales=scales)


def find_shape(
    state: Mapping[str, Tensor], size: tuple[int, int]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Channels, from the weights, and dilations, which no weight shows: from depth and the input's
    (width, height)."""
    counts, channels = [0, 0, 0], [0, 0, 0]
    for key, value in state.items():
        match = re.match(r'stages\.([0-2])\.(\d+)\.gamma$', key)
        if match and value.ndim == 1:
            stage = int(match[1])
            counts[stage] = max(counts[stage], int(match[2]) + 1)
            channels[stage] = len(value)
    third = {10: _FOUR, 7: _SEVEN}.get(counts[2])
    if counts[:2] != [4, 4] or third is None:
        raise UnmappedKeysError(
            'encoder.pth', hint=f'stages of {counts} blocks; known are 4, 4, 10 and 4, 4, 7'
        )
    rows: tuple[tuple[int, ...], ...] = ((1, 2, 3), (1, 2, 3), third)
    if size == (1024, 320):
        rows = tuple(tuple(_WIDE.get(d, d) for d in row) for row in rows)
    return tuple(channels), rows


def map_encoder(
    state: Mapping[str, Tensor],
    channels: tuple[int, ...],
    dilations: tuple[tuple[int, ...], ...],
    keys: KeyMap,
) -> None:
    """The names of our LiteMono, shapes checked; raises UnmappedKeysError."""
    with torch.device('meta'):
        wanted = LiteMono(channels, dilations).state_dict()
    names, kept = {}, {}
    for key, value in state.items():
        block = re.match(r'stages\.([0-2])\.(\d+)\.norm\.', key)
        if block and int(block[2]) < len(dilations[int(block[1])]):
            reason = 'a normalisation that the published network never uses'
            keys.dropped[f'encoder.pth: {key}'] = reason
            continue
        kept[key] = value
        for pattern, replacement in _RULES:
            names[key], found = re.subn(f'^{pattern}', replacement, key)
            if found:
                break
    hint = 'it is not the published network; what is missing is told in our names'
    keys.rename(kept, names, wanted, 'encoder.pth', 'backbone.', hint)

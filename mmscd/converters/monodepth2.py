"""Weights of Monodepth2 and of what was built on its files.

`encoder.pth` is a ResNet under `encoder.`, `depth.pth` the decoder's convolutions in order
(`decoder.N`), `pose_encoder.pth` a ResNet of pairs and `pose.pth` the convolutions of the pose
decoder (`net.N`). Godard et al., "Digging Into Self-Supervised Monocular Depth Estimation", ICCV
2019. Beside the names two things differ from ours: images are normalised by 0.45 and 0.225 in every
channel, which the config says, and the pose decoder puts out two motions of which only the first is
used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmscd.models.backbones.resnet_encoder import ARCHITECTURES
from mmscd.models.heads.disp_head import DispHead
from mmscd.models.pose_nets.pose_net import PoseNet

from .key_map import KeyMap, UnmappedKeysError
from .resnet import map_resnet

DECODER_CHANNELS = (16, 32, 64, 128, 256)
States = Mapping[str, Mapping[str, Tensor]]


def resnet_channels(depth: int) -> tuple[int, ...]:
    """Channels of the five maps of a ResNetEncoder."""
    wide = ARCHITECTURES[depth][0].expansion
    return (64, *(64 * wide * 2**level for level in range(4)))


def map_monodepth2(states: States, keys: KeyMap) -> dict[str, Any]:
    """Encoder and decoder under our names. Returns `backbone`, `channels` and `scales` as in
    `Converted`; UnmappedKeysError for other networks."""
    encoder = _strip(states['encoder'], 'encoder.pth')
    depth = map_resnet(encoder, 'encoder.pth', keys, 'backbone.')
    channels = resnet_channels(depth)

    head = partial(DispHead, channels, channels=DECODER_CHANNELS)
    scales = map_decoder(states['depth'], DECODER_CHANNELS[:4], (4, 3, 2, 1, 0), head, keys)
    return dict(backbone=dict(depth=depth), channels=channels, scales=scales)


def _strip(state: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    other = [key for key in state if not key.startswith('encoder.')]
    if other:
        raise UnmappedKeysError(what, other, hint='every name should begin with encoder.')
    return {key.removeprefix('encoder.'): value for key, value in state.items()}


def _with_parts(names: Mapping[str, str]) -> dict[str, str]:
    return {f'{old}.{p}': f'{new}.{p}' for old, new in names.items() for p in ('weight', 'bias')}


def map_decoder(
    state: Mapping[str, Tensor],
    widths: Sequence[int],
    levels: Sequence[int],
    make_head: Callable[..., nn.Module],
    keys: KeyMap,
) -> tuple[int, ...]:
    """The names of our heads, shapes checked; returns the scales.

    The decoder's list holds two convolutions per level, coarse to fine, one before and one after
    the upsampling; then one per disparity.

    Args:
        state: of depth.pth.
        widths: channels that the disparity of a scale is made of, by scale.
        levels: coarse to fine.
        make_head: our head of `scales`.
        keys: takes them in.

    Raises:
        UnmappedKeysError: it is another decoder.
    """
    names, first = {}, 2 * len(levels)
    for number, level in enumerate(levels):
        names[f'decoder.{2 * number}.conv.conv'] = f'reduce.{level}'
        names[f'decoder.{2 * number + 1}.conv.conv'] = f'fuse.{level}'
    scales = []
    for key, value in state.items():
        match = re.fullmatch(r'(decoder\.(\d+)\.conv)\.weight', key)
        if match and int(match[2]) >= first and value.ndim == 4 and value.shape[1] in widths:
            scales.append(widths.index(value.shape[1]))
            names[match[1]] = f'predict.{scales[-1]}'
    if not scales or len(set(scales)) != len(scales):
        hint = f'expected decoder.0 to decoder.{first - 1} and outputs decoder.{first} ...'
        raise UnmappedKeysError('depth.pth', state, hint=hint)
    with torch.device('meta'):
        wanted = make_head(scales=sorted(scales)).state_dict()
    keys.rename(state, _with_parts(names), wanted, 'depth.pth', 'disp_head.')
    return tuple(sorted(scales))


def map_pose(states: States, keys: KeyMap) -> int:
    """The names of our PoseNet; returns the depth of its ResNet, raises UnmappedKeysError."""
    what, encoder = 'pose_encoder.pth', _strip(states['pose_encoder'], 'pose_encoder.pth')
    first = encoder.get('conv1.weight')
    if first is not None and first.ndim == 4 and first.shape[1] != 6:
        shapes = {'conv1.weight': (first.shape, (64, 6, 7, 7))}
        hint = 'mmscd estimates motion from pairs of images; --no-pose leaves this net out'
        raise UnmappedKeysError(what, shapes=shapes, hint=hint)
    depth = map_resnet(encoder, what, keys, 'pose_net.encoder.', 6)
    with torch.device('meta'):
        backbone = dict(type='ResNetEncoder', depth=depth, in_channels=6)
        net = PoseNet(backbone, resnet_channels(depth)[-1])
    wanted = {k: v for k, v in net.state_dict().items() if not k.startswith('encoder.')}
    state = dict(states['pose'])
    last = state.get('net.3.weight')
    if last is not None and last.ndim == 4 and len(last) in (6, 12) and 'net.3.bias' in state:
        # a 1x1 convolution before a mean is a linear layer after it; the second motion is not used
        state['net.3.weight'] = last[:6, :, 0, 0]
        state['net.3.bias'] = state['net.3.bias'][:6]
    names = {f'net.{i}': new for i, new in enumerate(('head.0', 'head.2', 'head.4', 'motion'))}
    keys.rename(state, _with_parts(names), wanted, 'pose.pth', 'pose_net.')
    return depth

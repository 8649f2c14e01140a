"""Weights of Monodepth2 and of what was built on its files.

A folder holds `encoder.pth` (a ResNet under `encoder.`, with `height`, `width`, `use_stereo`),
`depth.pth` (the decoder's convolutions in order, `decoder.N`), and for models that learnt motion
`pose_encoder.pth` and `pose.pth` (`net.N`). Godard et al., "Digging Into Self-Supervised Monocular
Depth Estimation", ICCV 2019.

Three things differ from ours beside the names. Images are normalised by 0.45 and 0.225 in every
channel: the config that is written says so, the weights stay as they are. The pose decoder puts out
two motions of which only the first is used. Models trained with stereo pairs measure in units of
0.1 / 0.54 of a metre: depth times 5.4 is in metres.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmscd.models.backbones.resnet_encoder import ARCHITECTURES, ResNetEncoder
from mmscd.models.heads.disp_head import DispHead
from mmscd.models.pose_nets.pose_net import PoseNet

from .key_map import KeyMap, UnmappedKeysError
from .reading import read_weights
from .resnet import map_resnet

LEVELS = (4, 3, 2, 1, 0)
DECODER_CHANNELS = (16, 32, 64, 128, 256)
# entries of encoder.pth that are no weights
SETTINGS = ('height', 'width', 'use_stereo')
STEREO_SCALE = 5.4


@dataclass
class Monodepth2Weights:
    """A converted model.

    Attributes:
        keys: what became of every parameter.
        depth: of the ResNet.
        size: (width, height) of the input, or None where the file does not say.
        stereo: trained with stereo pairs.
        pose: the pose net is there.
        scales: of the disparities that the decoder puts out.
    """

    depth: int
    size: tuple[int, int] | None
    stereo: bool
    pose: bool
    scales: tuple[int, ...]
    keys: KeyMap = field(default_factory=KeyMap)


def convert_monodepth2(folder: str | Path, pose: bool = True) -> Monodepth2Weights:
    """Read and map a folder of weights.

    Args:
        folder: with encoder.pth, depth.pth, and pose_encoder.pth and pose.pth or neither.
        pose: take the pose net too where it is there.

    Raises:
        FileNotFoundError: encoder.pth or depth.pth is missing, or one of the pose files.
        RuntimeError: a file is broken or holds code.
        UnmappedKeysError: it is of another architecture.
    """
    folder = Path(folder)
    files = {name: folder / f'{name}.pth' for name in ('encoder', 'depth', 'pose_encoder', 'pose')}
    there = [name for name, path in files.items() if path.is_file()]
    wanted = ['encoder', 'depth']
    if pose and {'pose_encoder', 'pose'} & set(there):
        wanted += ['pose_encoder', 'pose']
    missing = [f'{name}.pth' for name in wanted if name not in there]
    if missing:
        raise FileNotFoundError(
            f'{folder} lacks {", ".join(missing)} (found: {", ".join(there) or "nothing"})'
            + ('; --no-pose converts the depth network alone' if 'depth' in there else '')
        )
    states, settings = {}, {}
    for name in wanted:
        tensors, values = read_weights(files[name])
        for key in SETTINGS:  # some forks save them as tensors
            if key in tensors:
                values[key] = tensors.pop(key).item()
        states[name], settings[name] = tensors, values
    result = _map_depth(states, settings['encoder'])
    if 'pose' in wanted:
        result.pose = True
        result.keys.update(_map_pose(states))
    return result


def _map_depth(states: Mapping[str, dict], settings: Mapping[str, Any]) -> Monodepth2Weights:
    encoder = _strip(states['encoder'], 'encoder.', 'encoder.pth')
    keys, depth = map_resnet(encoder, 'encoder.pth', 'backbone.')
    decoder, scales = map_decoder(states['depth'], depth)
    keys.update(decoder)
    size = None
    if settings.get('width') and settings.get('height'):
        size = int(settings['width']), int(settings['height'])
    for name in SETTINGS:
        if name in settings:
            keys.dropped[f'encoder.pth: {name} = {settings[name]}'] = 'goes into the config'
    return Monodepth2Weights(depth, size, bool(settings.get('use_stereo')), False, scales, keys)


def _strip(state: Mapping[str, Tensor], prefix: str, what: str) -> dict[str, Tensor]:
    other = [key for key in state if not key.startswith(prefix)]
    if other:
        raise UnmappedKeysError(what, other, hint=f'every name should begin with {prefix}')
    return {key.removeprefix(prefix): value for key, value in state.items()}


def map_decoder(state: Mapping[str, Tensor], depth: int) -> tuple[KeyMap, tuple[int, ...]]:
    """The names of our DispHead, shapes checked.

    The decoder's list holds two convolutions per level, coarse to fine, one before and one after
    the upsampling; then one per disparity, fine to coarse.

    Args:
        state: of depth.pth.
        depth: of the encoder.

    Returns:
        The map, and the scales.

    Raises:
        UnmappedKeysError: it is another decoder.
    """
    names = {}
    for number, level in enumerate(LEVELS):
        names[f'decoder.{2 * number}.conv.conv'] = f'reduce.{level}'
        names[f'decoder.{2 * number + 1}.conv.conv'] = f'fuse.{level}'
    outputs = sorted(
        (int(m[1]), v.shape[1])
        for k, v in state.items()
        if (m := re.fullmatch(r'decoder\.(\d+)\.conv\.weight', k)) and v.ndim == 4
    )
    scales = []
    for number, channels in outputs:
        if channels in DECODER_CHANNELS[:4] and number >= 10:
            scales.append(DECODER_CHANNELS.index(channels))
            names[f'decoder.{number}.conv'] = f'predict.{scales[-1]}'
    if not scales or len(set(scales)) != len(scales):
        raise UnmappedKeysError(
            'depth.pth', state, hint='expected decoder.0 to decoder.9 and the outputs decoder.10 ...'
        )
    with torch.device('meta'):
        channels = ResNetEncoder(depth).out_channels
        head = DispHead(channels, channels=DECODER_CHANNELS, scales=sorted(scales))
    renamed = {f'{old}.{p}': f'{new}.{p}' for old, new in names.items() for p in ('weight', 'bias')}
    keys = _rename(state, renamed, head.state_dict(), 'depth.pth', 'disp_head.')
    return keys, tuple(sorted(scales))


def _map_pose(states: Mapping[str, dict[str, Tensor]]) -> KeyMap:
    encoder = _strip(states['pose_encoder'], 'encoder.', 'pose_encoder.pth')
    first = encoder.get('conv1.weight')
    if first is not None and first.shape[1] != 6:
        raise UnmappedKeysError(
            'pose_encoder.pth',
            shapes={'conv1.weight': (first.shape, (64, 6, 7, 7))},
            hint='mmscd estimates motion from pairs of images; --no-pose leaves this net out',
        )
    keys, depth = map_resnet(encoder, 'pose_encoder.pth', 'pose_net.encoder.', 6)
    with torch.device('meta'):
        backbone = dict(type='ResNetEncoder', depth=depth, in_channels=6)
        net = PoseNet(backbone, 512 * ARCHITECTURES[depth][0].expansion)
    wanted = {k: v for k, v in net.state_dict().items() if not k.startswith('encoder.')}
    state = dict(states['pose'])
    last = state.get('net.3.weight')
    if last is not None and last.ndim == 4 and last.shape[0] in (6, 12):
        # a 1x1 convolution before a mean is a linear layer after it; the second motion is not used
        state['net.3.weight'] = last[:6, :, 0, 0]
        state['net.3.bias'] = state['net.3.bias'][:6]
    renamed = {
        f'net.{i}.{p}': f'{new}.{p}'
        for i, new in enumerate(('head.0', 'head.2', 'head.4', 'motion'))
        for p in ('weight', 'bias')
    }
    keys.update(_rename(state, renamed, wanted, 'pose.pth', 'pose_net.'))
    return keys


def _rename(
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    wanted: Mapping[str, Tensor],
    what: str,
    target: str,
) -> KeyMap:
    keys = KeyMap()
    shapes = {}
    for old, new in names.items():
        if old in state and state[old].shape != wanted[new].shape:
            shapes[old] = (state[old].shape, wanted[new].shape)
        elif old in state:
            keys.add(target + new, state[old], f'{what}: {old}')
    unknown = [key for key in state if key not in names]
    missing = [old for old in names if old not in state]
    if unknown or missing or shapes:
        raise UnmappedKeysError(what, unknown, missing, shapes, 'it is not the published network')
    return keys

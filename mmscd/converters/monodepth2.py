"""Weights of Monodepth2 and of what was built on its files.

A folder holds `encoder.pth` (a ResNet under `encoder.`, with `height`, `width`, `use_stereo`),
`depth.pth` (the decoder's convolutions in order, `decoder.N`), and for models that learnt motion
`pose_encoder.pth` and `pose.pth` (`net.N`). Godard et al., "Digging Into Self-Supervised Monocular
Depth Estimation", ICCV 2019.

Three things differ from ours beside the names. Images are normalised by 0.45 and 0.225 in every
channel: the config that is written says so, the weights stay as they are. The pose decoder puts out
two motions of which only the first is used. Models trained with stereo pairs took their baseline
for 0.1 where it is 0.54 m: depth times 5.4 is in metres.
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

from .key_map import KeyMap, UnmappedKeysError, drop_counters
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
        pose_depth: of the pose net's ResNet, None without a pose net.
        scales: of the disparities that the decoder puts out.
    """

    depth: int
    size: tuple[int, int] | None
    stereo: bool
    scales: tuple[int, ...]
    pose_depth: int | None = None
    keys: KeyMap = field(default_factory=KeyMap)


def convert_monodepth2(folder: str | Path, pose: bool = True) -> Monodepth2Weights:
    """Read and map a folder of weights.

    Args:
        folder: with encoder.pth, depth.pth, and pose_encoder.pth and pose.pth or neither.
        pose: take the pose net too where it is there.

    Returns:
        The weights, and what the config has to know.

    Raises:
        FileNotFoundError: encoder.pth or depth.pth is missing, or one of the pose files.
        RuntimeError: a file is broken or holds code.
        UnmappedKeysError: it is of another architecture.
    """
    states, settings, others = read_folder(folder, pose)
    if any(key.startswith('downsample_layers.') for key in states['encoder']):
        raise UnmappedKeysError(
            'encoder.pth',
            hint='it is a Lite-Mono: use tools/model_converters/lite_mono_to_mmscd.py',
        )
    result = _map_depth(states, settings)
    result.keys.dropped.update(others)
    if 'pose' in states:
        pose_keys, result.pose_depth = map_pose(states)
        result.keys.update(pose_keys)
    return result


def read_folder(
    folder: str | Path, pose: bool = True
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, str]]:
    """The files of Monodepth2's layout.

    Args:
        folder: with encoder.pth, depth.pth, and pose_encoder.pth and pose.pth or neither.
        pose: read the pose net too where it is there.

    Returns:
        Tensors by file and name; the settings in encoder.pth; what is neither, by reason.

    Raises:
        FileNotFoundError, RuntimeError: a file is missing, broken or holds code.
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
    return _read_parts({name: files[name] for name in wanted})


def _read_parts(files: Mapping[str, Path]) -> tuple[dict[str, dict], dict, dict[str, str]]:
    """Tensors by file and name, the settings of the encoder's file, what is neither."""
    states, settings, others = {}, {}, {}
    for name, path in files.items():
        tensors, values = read_weights(path)
        for key in SETTINGS:  # some forks save them as tensors
            if key in tensors:
                values[key] = tensors.pop(key).item()
            if name == 'encoder' and key in values:
                settings[key] = values.pop(key)
        others.update(drop_counters(tensors, f'{name}.pth'))
        others.update({f'{name}.pth: {key}': 'no weight' for key in values})
        states[name] = tensors
    return states, settings, others


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
    return Monodepth2Weights(depth, size, bool(settings.get('use_stereo')), scales, keys=keys)


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
            'depth.pth',
            state,
            hint='expected decoder.0 to decoder.9 and outputs decoder.10 ...',
        )
    with torch.device('meta'):
        channels = ResNetEncoder(depth).out_channels
        head = DispHead(channels, channels=DECODER_CHANNELS, scales=sorted(scales))
    renamed = {f'{old}.{p}': f'{new}.{p}' for old, new in names.items() for p in ('weight', 'bias')}
    keys = rename(state, renamed, head.state_dict(), 'depth.pth', 'disp_head.')
    return keys, tuple(sorted(scales))


def map_pose(states: Mapping[str, dict[str, Tensor]]) -> tuple[KeyMap, int]:
    """The names of our PoseNet and the depth of its ResNet; raises UnmappedKeysError."""
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
    keys.update(rename(state, renamed, wanted, 'pose.pth', 'pose_net.'))
    return keys, depth


def rename(
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    wanted: Mapping[str, Tensor],
    what: str,
    target: str,
) -> KeyMap:
    """Map by a table.

    Args:
        state: of the file.
        names: name in the file -> our name.
        wanted: ours, for the shapes.
        what: names the file in messages.
        target: prefix of the new names.

    Raises:
        UnmappedKeysError: a name is unknown or missing, or a shape differs.
    """
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

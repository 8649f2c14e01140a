"""Folders in Monodepth2's layout: Monodepth2, what was built on its files, Lite-Mono.

A folder holds `encoder.pth` (with `height`, `width`, `use_stereo`), `depth.pth`, and for models
that learnt motion `pose_encoder.pth` and `pose.pth`. Models trained with stereo pairs took their
baseline for 0.1 where it is 0.54 m: depth times 5.4 is in metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .key_map import KeyMap
from .lite_mono import map_lite_mono
from .monodepth2 import map_monodepth2, map_pose, resnet_channels
from .reading import read_folder

STEREO_SCALE = 5.4
DEFAULT_SIZE = (640, 192)
DEFAULT_RANGE = (0.1, 100.0)
# sizes that have configs of their own
_SIZES = {DEFAULT_SIZE: '', (1024, 320): '-1024x320'}
_SIZE = """
img_size = {size}  # width, height
pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader
"""
_STEREO = """
# learnt with a baseline of 0.1 for the true 0.54 m: depth times {scale} is in metres
metric = dict(preset='kitti_eigen_stereo', alignment='fixed', scale={scale})
val_evaluator = dict(_delete_=True, type='DepthMetric', protocol=metric)
test_evaluator = dict(_delete_=True, type='DepthMetric', protocol=metric)
visualizer = dict(_delete_=True, type='DepthVisualizer', name='visualizer', protocol=metric)
visualizer['vis_backends'] = [dict(type='LocalVisBackend')]
"""


@dataclass
class Converted:
    """A converted model.

    Attributes:
        project: 'monodepth2' or 'lite-mono'.
        network: what it is, in words.
        backbone: arguments that say which one.
        channels: of the backbone's maps.
        scales: of the disparities that the decoder puts out.
        size: (width, height) of the input, 640x192 where the files do not say.
        stereo: trained with stereo pairs; None: the files do not say.
        keys: what became of every parameter.
        pose_depth: of the pose net's ResNet, None without a pose net.
        says_size: the files say the size.
    """

    project: str
    network: str
    backbone: dict[str, Any]
    channels: tuple[int, ...]
    scales: tuple[int, ...]
    size: tuple[int, int]
    stereo: bool | None
    keys: KeyMap = field(repr=False)
    pose_depth: int | None = None
    says_size: bool = True


def convert_folder(folder: str | Path, pose: bool = True, stereo: bool | None = None) -> Converted:
    """Read and map a folder: encoder.pth, depth.pth, and pose_encoder.pth and pose.pth or neither.

    Args:
        folder: of the files.
        pose: take the pose net too where it is there.
        stereo: trained with stereo pairs or not; None: what encoder.pth says.

    Raises:
        FileNotFoundError: encoder.pth or depth.pth is missing, or one of the pose files.
        RuntimeError: a file is broken or holds code.
        UnmappedKeysError: it is of another architecture.
    """
    states, settings, others = read_folder(folder, pose)
    size = int(settings.get('width') or 640), int(settings.get('height') or 192)
    told = {f'encoder.pth: {k} = {v}': 'goes into the config' for k, v in settings.items()}
    keys = KeyMap(dropped=others | told)
    if 'stem2.0.conv.weight' in states['encoder']:
        project, parts = 'lite-mono', map_lite_mono(states, keys, size)
        network = f'Lite-Mono {parts["channels"]}'
    else:
        project, parts = 'monodepth2', map_monodepth2(states, keys)
        network = f'ResNet-{parts["backbone"]["depth"]}'
    pose_depth = map_pose(states, keys) if 'pose' in states else None
    if stereo is None and 'use_stereo' in settings:
        stereo = bool(settings['use_stereo'])
    parts |= dict(size=size, stereo=stereo, pose_depth=pose_depth)
    parts['says_size'] = bool(settings.get('width') and settings.get('height'))
    return Converted(project, network, keys=keys, **parts)


def make_config(
    weights: Converted,
    name: str,
    size: tuple[int, int] | None = None,
    depth_range: tuple[float, float] = DEFAULT_RANGE,
) -> str:
    """Text of a config that inherits from a shipped one and says what differs.

    Args:
        weights: what was converted.
        name: of the source, for the comment on top.
        size: (width, height) of the input; None: what encoder.pth says, or 640x192.
        depth_range: (min_depth, max_depth) of the training's options.
    """
    size = size or weights.size
    resnet = weights.project == 'monodepth2'
    base, own_sizes = 'lite_mono/lite-mono_kitti', {DEFAULT_SIZE: ''}
    if resnet:
        kind = '-mono-stereo' if weights.pose_depth else '-stereo'
        base, own_sizes = f'monodepth2/monodepth2_r18_kitti{kind * bool(weights.stereo)}', _SIZES
    backbone = ', '.join(f'{key}={value!r}' for key, value in weights.backbone.items())
    lines = [
        f'# Weights of {name!r} ({weights.project}), made by tools/model_converters/to_mmscd.py.',
        f"_base_ = ['mmscd::{base}{own_sizes.get(size, '')}.py']",
        '',
        'model = dict(',
        f'    min_depth={depth_range[0]!r},',
        f'    max_depth={depth_range[1]!r},',
        '    # what the project normalises every channel by',
        '    data_preprocessor=dict(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)),',
        f'    backbone=dict({backbone}, init_cfg=None),',
        f'    disp_head=dict(in_channels={weights.channels}, scales={weights.scales}),',
    ]
    if weights.pose_depth:
        widest = resnet_channels(weights.pose_depth)[-1]
        encoder = f'encoder=dict(depth={weights.pose_depth}, init_cfg=None)'
        lines.append(f'    pose_net=dict({encoder}, in_channels={widest}),')
    elif not (resnet and weights.stereo):
        lines += ['    # no pose net: for single images only']
        lines += ['    frame_ids=(0,),', '    pose_net=None,']
    text = '\n'.join([*lines, ')', ''])
    text += '' if size in own_sizes else _SIZE.format(size=size)
    return text + (_STEREO.format(scale=STEREO_SCALE) if weights.stereo else '')

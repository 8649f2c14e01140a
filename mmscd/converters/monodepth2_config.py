"""The configs that go with converted weights of Monodepth2 and Lite-Mono."""

from __future__ import annotations

from mmscd.models.backbones.resnet_encoder import ARCHITECTURES

from .lite_mono import LiteMonoWeights
from .monodepth2 import STEREO_SCALE, Monodepth2Weights

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
val_evaluator = dict(alignment='fixed', scale={scale})
test_evaluator = val_evaluator
"""
DEFAULT_SIZE = (640, 192)
SIZES = {DEFAULT_SIZE: '', (1024, 320): '-1024x320'}


def resnet_channels(depth: int) -> tuple[int, ...]:
    """Channels of the five maps of a ResNetEncoder."""
    wide = ARCHITECTURES[depth][0].expansion
    return (64, *(64 * wide * 2**level for level in range(4)))


def monodepth2_config(
    weights: Monodepth2Weights,
    name: str,
    size: tuple[int, int] | None = None,
    depth_range: tuple[float, float] = (0.1, 100.0),
) -> str:
    """Text of a config that inherits from one of `configs/monodepth2` and says what differs.

    Args:
        weights: what was converted.
        name: of the source, for the comment on top.
        size: (width, height) of the input; None: what encoder.pth says, or 640x192.
        depth_range: (min_depth, max_depth) of the training's options.
    """
    size = size or weights.size or DEFAULT_SIZE
    kind = ''
    if weights.stereo:
        kind = '-mono-stereo' if weights.pose_depth else '-stereo'
    base = f'monodepth2_r18_kitti{kind}{SIZES.get(size, "")}.py'
    lines = [
        f'# Monodepth2 weights of {name}, made by tools/model_converters/monodepth2_to_mmscd.py.',
        f"_base_ = ['mmscd::monodepth2/{base}']",
        '',
        'model = dict(',
    ]
    if depth_range != (0.1, 100.0):
        lines.append(f'    min_depth={depth_range[0]!r},\n    max_depth={depth_range[1]!r},')
    lines += [
        '    # what Monodepth2 normalises every channel by',
        '    data_preprocessor=dict(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)),',
        f'    backbone=dict(depth={weights.depth}, init_cfg=None),',
        '    disp_head=dict(',
        f'        in_channels={resnet_channels(weights.depth)},',
        f'        scales={weights.scales},',
        '    ),',
        *_pose_lines(weights),
        ')',
    ]
    return _finish(lines, None if size in SIZES else size, weights.stereo)


def lite_mono_config(
    weights: LiteMonoWeights,
    name: str,
    size: tuple[int, int] | None = None,
    depth_range: tuple[float, float] = (0.1, 100.0),
) -> str:
    """Text of a config that inherits from `configs/lite_mono`; arguments as above."""
    size = size or weights.size
    lines = [
        f'# Lite-Mono weights of {name}, made by tools/model_converters/lite_mono_to_mmscd.py.',
        "_base_ = ['mmscd::lite_mono/lite-mono_kitti.py']",
        '',
        'model = dict(',
        f'    min_depth={depth_range[0]!r},',
        f'    max_depth={depth_range[1]!r},',
        f'    backbone=dict(channels={weights.channels}, dilations={weights.dilations}),',
        f'    disp_head=dict(in_channels={weights.channels}, scales={weights.scales}),',
        *(_pose_lines(weights) or ['    frame_ids=(0,),', '    pose_net=None,']),
        ')',
    ]
    return _finish(lines, None if size == DEFAULT_SIZE else size, weights.stereo)


def _finish(lines: list[str], size: tuple[int, int] | None, stereo: bool) -> str:
    text = '\n'.join(lines) + '\n'
    if size is not None:
        text += _SIZE.format(size=size)
    if stereo:
        text += _STEREO.format(scale=STEREO_SCALE)
    return text


def _pose_lines(weights: Monodepth2Weights | LiteMonoWeights) -> list[str]:
    if weights.pose_depth:
        depth = weights.pose_depth
        return [
            '    pose_net=dict(',
            f'        encoder=dict(depth={depth}, init_cfg=None),',
            f'        in_channels={resnet_channels(depth)[-1]},',
            '    ),',
        ]
    if weights.stereo:
        return []
    return ['    # no pose net was converted: for single images only', '    frame_ids=(0,),',
            '    pose_net=None,']  # fmt: skip

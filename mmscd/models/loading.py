"""A depth network for inference: built from its config, with weights that are known to fit."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmscd.registry import MODELS
from mmscd.utils.compat import load_checkpoint_file

from .model_names import describe, resolve_model

RANDOM = 'random'
# of a checkpoint: parts that no prediction of depth passes through
_UNUSED = ('pose_net.', 'distiller.', 'pixel_weights.', 'losses.')
_EXAMPLES = 3
# beginnings of keys that give away what a file is, and what to do about it
_OTHERS = (
    (
        ('downsample_layers.0.0.conv.', 'stem2.'),
        'its keys are those of Lite-Mono: convert the folder it lies in with '
        'tools/model_converters/lite_mono_to_mmscd.py FOLDER OUT.pth, then give OUT.py and OUT.pth',
    ),
    (
        ('encoder.conv1', 'encoder.layer1', 'encoder.encoder.'),
        'its keys are those of Monodepth2 or a fork of it: convert the folder it lies in with '
        'tools/model_converters/monodepth2_to_mmscd.py FOLDER OUT.pth, then give OUT.py and '
        'OUT.pth',
    ),
    (
        ('decoder.0.', 'net.0.'),
        'its keys are those of a decoder of Monodepth2 or Lite-Mono: convert the folder it lies in '
        'with tools/model_converters/monodepth2_to_mmscd.py or lite_mono_to_mmscd.py, then give '
        'OUT.py and OUT.pth',
    ),
    (
        ('conv1.weight', 'layer1.0.', 'downsample_layers.', 'stages.0.'),
        'its keys are those of a bare backbone, which cannot predict depth: train with it '
        '(RESNET18_WEIGHTS), or give the weights of a whole depth model',
    ),
    (
        ('decode_head.', 'auxiliary_head.', 'segmentor.'),
        'it is a segmentation network of mmseg, i.e. a teacher and not a student: give the weights '
        'of a depth model',
    ),
    (
        ('bbox_head.', 'rpn_head.', 'roi_head.', 'cls_head.', 'head.fc.', 'neck.'),
        'it is a model of another OpenMMLab project: give the weights of a depth model of mmscd',
    ),
)


def init_model(
    model: Any,
    weights: str | os.PathLike | None = None,
    device: str | None = None,
    half: bool = False,
    flip: bool = False,
) -> nn.Module:
    """A network that is ready to predict: eval mode, no teacher, no graph, no pose network.

    Args:
        model: path or name of a config, or a `Config`; see `resolve_model`.
        weights: checkpoint, path or URL, loaded without running code it may contain. None takes
            what the config names as `load_from`. 'random': none; its depth means nothing.
        device: e.g. 'cpu', 'cuda:0'; None: the best one there is.
        half: float16 networks on CUDA, bfloat16 ones elsewhere. Depth then comes in visible steps:
            8 bits (bfloat16) or 11 bits (float16) of precision.
        flip: average each prediction with that for the mirrored image, at twice the time.

    Returns:
        The model; `model.cfg` is its whole config, and `model.depth_scale` the metres per unit of
        depth that the checkpoint names as `meta['depth_scale']`, None as a rule.

    Raises:
        FileNotFoundError, RuntimeError: config or weights are missing or broken.
        ValueError: they do not fit, or the device does not exist; says what to do.
    """
    cfg = resolve_model(model)
    network = build_network(cfg, check_device(device), half, flip)
    weights = weights if weights is not None else cfg.get('load_from')
    if weights is None:
        raise ValueError(
            f'no weights for {describe(cfg)}: give weights=PATH of a checkpoint; '
            f"weights='{RANDOM}' tries the machinery with a network that has learnt nothing"
        )
    network.depth_scale = None
    if str(weights) == RANDOM:
        print_log('random weights: the depth means nothing', 'current', 30)
    else:
        load_weights(network, weights, cfg)
    network.cfg = cfg
    return network.to(check_device(device)).eval()


def check_device(device: str | torch.device | None) -> torch.device:
    """The device to work on.

    Raises:
        ValueError: it is not there, or no name of one.
    """
    try:
        chosen = torch.device(device if device is not None else get_device())
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        found = f'cuda:0..{torch.cuda.device_count() - 1}' if torch.cuda.is_available() else 'cpu'
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device {str(device)!r} cannot be used ({reason}); this machine has {found}'
        ) from None
    return chosen


def build_network(cfg: Config, device: torch.device, half: bool, flip: bool) -> nn.Module:
    """The network without what only training needs.

    Args:
        cfg: not changed.
        device: decides about the kind of half precision.
        half, flip: see `init_model`.
    """
    init_default_scope(cfg.get('default_scope') or 'mmscd')
    slim = copy.deepcopy(cfg)
    prepare_for_inference(slim)
    model = slim.model
    if 'losses' in model:
        model.losses = {}
    if 'pose_net' in model:
        model.update(pose_net=None, frame_ids=[0])
    if half:
        model.network_dtype = 'float16' if device.type == 'cuda' else 'bfloat16'
    elif 'network_dtype' in model:
        model.network_dtype = None  # it saved memory and time in training
    if flip:
        model.flip_tta = True
    try:
        return MODELS.build(model)
    except (KeyError, TypeError, AttributeError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'the model of {describe(cfg)} cannot be built: {reason}') from error


def load_weights(network: nn.Module, weights: str | os.PathLike, cfg: Config) -> None:
    """Load a checkpoint, completely or not at all.

    Args:
        network: changed in place; `depth_scale` is set to what the checkpoint says.
        weights: path or URL of a checkpoint of mmengine, or of a plain state dict.
        cfg: named in errors.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing, broken, or holds code.
        ValueError: its weights are not those of this network, or it is a folder.
    """
    path = str(Path(weights).expanduser()) if '://' not in str(weights) else str(weights)
    if Path(path).is_dir():
        raise ValueError(explain_folder(Path(path)))
    stored = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    state = _find_state(stored, path)
    # of the preprocessor a checkpoint says only how it normalises, which the preprocessor judges
    known, found = (
        {k: v for k, v in weights.items() if not k.startswith('data_preprocessor.')}
        for weights in (network.state_dict(), state)
    )
    problem = explain_misfit(known, found)
    if problem:
        raise ValueError(f'weights {path} do not fit the model of {describe(cfg)}: {problem}')
    bad = [key for key, value in found.items() if not torch.isfinite(value.float()).all()]
    if bad:
        raise ValueError(
            f'weights {path} hold values that are not finite ({_some(bad)}): the training had '
            'collapsed; take an earlier checkpoint'
        )
    try:
        network.load_state_dict(state, strict=False)
    except ValueError as error:
        raise ValueError(
            f'weights {path} do not fit the model of {describe(cfg)}: {error}'
        ) from None
    network.depth_scale = read_depth_scale(stored, path)


def read_depth_scale(stored: Any, path: str) -> float | None:
    """Metres per unit of depth that a checkpoint names as `meta['depth_scale']`; None without.

    Converted stereo weights of Monodepth2 have one: they learnt with a wrong baseline.

    Raises:
        ValueError: it is no positive number.
    """
    meta = stored.get('meta') if isinstance(stored, Mapping) else None
    scale = meta.get('depth_scale') if isinstance(meta, Mapping) else None
    if scale is None:
        return None
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
        raise ValueError(
            f"weights {path}: meta['depth_scale'] must be a positive number, got {scale!r}"
        )
    return float(scale)


def explain_folder(folder: Path) -> str:
    """What to do with a folder that was given as weights."""
    if (folder / 'encoder.pth').is_file():
        return (
            f'weights {folder} is a folder with files of Monodepth2, of a fork, or of Lite-Mono: '
            'convert it with tools/model_converters/monodepth2_to_mmscd.py (or '
            f'lite_mono_to_mmscd.py) {folder} OUT.pth, then give OUT.py and OUT.pth'
        )
    return f'weights {folder} is a folder: give a checkpoint, such as iter_N.pth in a work dir'


def _find_state(stored: Any, path: str) -> dict[str, Tensor]:
    """The parameters by name, without the prefix that data-parallel wrappers leave."""
    state = stored
    for key in ('state_dict', 'model'):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not any(isinstance(v, Tensor) for v in state.values()):
        kind = f'a {type(stored).__name__}'
        if isinstance(stored, Mapping):
            kind = f'a dict with the keys {_some(map(str, stored))}'
        raise ValueError(
            f'weights {path} hold no parameters of a network ({kind}): give a checkpoint that '
            'training wrote (iter_N.pth), or a state dict'
        )
    state = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    if all(key.startswith('module.') for key in state):
        state = {key[len('module.') :]: value for key, value in state.items()}
    return {key: value for key, value in state.items() if not key.startswith(_UNUSED)}


def explain_misfit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Why weights do not fit, in half a sentence; None where they do.

    Args:
        expected: the network's own parameters and buffers.
        state: those of the file, without the parts that inference does not need.
    """
    missing = [k for k in expected if k not in state]
    unknown = [k for k in state if k not in expected]
    shapes = [k for k in expected if k in state and state[k].shape != expected[k].shape]
    if not (missing or unknown or shapes):
        return None
    parts = []
    if missing:
        parts.append(f'{len(missing)} of {len(expected)} parameters are missing ({_some(missing)})')
    if shapes:
        key = shapes[0]
        sizes = f'{tuple(state[key].shape)} in the file, {tuple(expected[key].shape)} in the model'
        parts.append(f'{len(shapes)} have another shape ({key}: {sizes})')
    if unknown:
        parts.append(f'{len(unknown)} are unknown to the model ({_some(unknown)})')
    return f'{", ".join(parts)}; {_guess(state, missing, unknown, shapes)}'


def _guess(
    state: Mapping[str, Tensor], missing: list[str], unknown: list[str], shapes: list[str]
) -> str:
    """What the file probably is, and what to do."""
    for beginnings, advice in _OTHERS:
        if any(key.startswith(beginnings) for key in unknown):
            return advice
    if not state:
        return 'it has no weights of a depth network: give another checkpoint'
    parts = {key.split('.')[0] for key in [*missing, *unknown, *shapes]}
    return (
        f'they seem to be of a model with another {" and ".join(sorted(parts))}: give the config '
        'that this checkpoint was trained with (it lies beside it in the work dir)'
    )


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ', '.join(keys[:_EXAMPLES]) + (', ...' if len(keys) > _EXAMPLES else '')


def prepare_for_inference(cfg: Config) -> None:
    """Leave out of a config what only training needs: initial weights, teacher and graph,
    and the pixel weights of the losses.

    Args:
        cfg: changed in place.
    """
    disable_initial_weights(cfg.model)
    cfg.model.distiller = cfg.model.pixel_weights = None
    if cfg.get('default_hooks'):
        cfg.default_hooks.pop('distill', None)


def disable_initial_weights(model: dict) -> None:
    """Drop every `init_cfg` of a model config: a checkpoint replaces all weights, and the files of
    the initial ones need not be there."""
    for key, value in list(model.items()):
        if key == 'init_cfg':
            model[key] = None
        elif isinstance(value, dict):
            disable_initial_weights(value)


def load_all_parts(network: nn.Module, checkpoint: str, config: str) -> None:
    """Load a checkpoint of mmscd into a model that needs all of its own weights, pose net included.

    Args:
        network: changed in place; what else the checkpoint holds is left out.
        checkpoint: local file.
        config: named in errors.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing, broken or holds code.
        ValueError: it lacks weights of the model, as a published one may lack the pose net.
    """
    state = load_checkpoint_file(checkpoint)
    absent = network.load_state_dict(state.get('state_dict', state), strict=False).missing_keys
    if absent:
        hint = 'is it of another config?'
        if absent[0].startswith('pose_net.'):
            hint = 'published checkpoints have no pose net'
        raise ValueError(
            f'{checkpoint} lacks {len(absent)} weights of the model of {config} (first: '
            f'{absent[0]}); {hint}'
        )

"""The one door for weights: a network built from its config, with weights that are known to fit.

What a caller needs of a checkpoint has to be there completely and to fit; what it does not need may
be there or not:

- `depth`: what a prediction passes through (backbone, head, and parts of estimators of your own);
- `depth+pose`: the pose net too;
- `all`: every weight of the network and no other, as for going on with a training;
- `training`: what a training may start from: the depth network, the pose net if the file has any of
  it; of the rest what fits.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmscd.registry import MODELS
from mmscd.utils.weights import check_finite, named_tensors, some

from ._misfit import explain_folder, explain_misfit
from .model_names import check_depth_config, describe, one_line, resolve_model

RANDOM = 'random'
NEEDS = ('depth', 'depth+pose', 'all', 'training')
# parts that only training has
TRAINING_ONLY = ('distiller.', 'pixel_weights.', 'losses.')
# says only how images are normalised, which the preprocessor itself judges
_PREPROCESSOR = 'data_preprocessor.'

State = dict[str, Tensor]


def load_model(
    model: Any,
    weights: str | os.PathLike | None = None,
    need: str = 'depth',
    device: str | torch.device | None = None,
    flip: bool = False,
) -> nn.Module:
    """A network with weights, float32, in eval mode, without the parts that are not needed.

    Args:
        model: path or name of a config, or a `Config`, which is not changed; see `resolve_model`.
        weights: checkpoint, path or URL, loaded without running code it may contain. None takes
            what the config names as `load_from`. 'random': none; its depth means nothing.
        need: one of `NEEDS`. 'depth': no pose net, losses, teacher and graph; 'depth+pose': with
            the pose net; otherwise the whole model.
        device: e.g. 'cpu', 'cuda:0'; None: the best one there is.
        flip: average each prediction with that for the mirrored image, at twice the time.

    Returns:
        The model; `model.cfg` is its whole config, and `model.depth_scale` the metres per unit of
        depth that the checkpoint names as `meta['depth_scale']`, None as a rule.

    Raises:
        FileNotFoundError, RuntimeError: config or weights are missing or broken.
        ValueError: they do not fit, or the device does not exist; says what to do.
    """
    cfg, chosen = resolve_model(model), check_device(device)
    weights = weights if weights is not None else cfg.get('load_from')
    if weights is None:
        raise ValueError(
            f'no weights for {describe(cfg)}: give weights=PATH of a checkpoint; '
            f"weights='{RANDOM}' tries the machinery with a network that has learnt nothing"
        )
    network = build_network(cfg, need, flip)
    if str(weights) == RANDOM:
        print_log('random weights: the depth means nothing', 'current', 30)
    else:
        load_weights(network, weights, need, describe(cfg))
    return network.to(chosen)


def init_model(
    model: Any,
    weights: str | os.PathLike | None = None,
    device: str | None = None,
    flip: bool = False,
) -> nn.Module:
    """A network that is ready to predict depth; arguments and errors are those of `load_model`."""
    return load_model(model, weights, 'depth', device, flip)


def check_device(device: str | torch.device | None) -> torch.device:
    """The device to work on, None: the best one there is; ValueError: it is not there, or no name
    of one."""
    try:
        chosen = torch.device(device if device is not None else get_device())
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        found = f'cuda:0..{torch.cuda.device_count() - 1}' if torch.cuda.is_available() else 'cpu'
        reason = f'({str(error).splitlines()[0]}); this machine has {found}'
        raise ValueError(f'device {str(device)!r} cannot be used {reason}') from None
    return chosen


def build_network(cfg: Config, need: str = 'depth', flip: bool = False) -> nn.Module:
    """The network of a config, which is not changed, with random weights, in eval mode and float32,
    on the CPU. `need` and `flip` are those of `load_model`. ValueError: why it cannot be built."""
    check_depth_config(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmscd')
    model = model_config(cfg.model, need)
    for option in {'network_dtype', 'channels_last'} & set(model):
        model.pop(option)  # they saved memory and time in training
    if flip:
        model.flip_tta = True
    try:
        network = MODELS.build(model)
    except (KeyError, TypeError, AttributeError) as error:
        reason = f'cannot be built: {one_line(error)}'
        raise ValueError(f'the model of {describe(cfg)} {reason}') from error
    network.cfg, network.depth_scale = cfg, None
    network.eval()
    return network


def model_config(model: Mapping[str, Any], need: str = 'depth') -> ConfigDict:
    """A copy of `cfg.model` without initial weights and without the parts not needed; `need` is
    that of `load_model`."""
    _check_need(need)
    slim = ConfigDict(copy.deepcopy(dict(model)))
    disable_initial_weights(slim)
    if need.startswith('depth'):
        for part in ('distiller', 'pixel_weights', 'losses'):
            if part in slim:
                # losses may ask for maps of a teacher
                slim[part] = {} if part == 'losses' else None
        if need == 'depth' and 'pose_net' in slim:
            slim.update(pose_net=None, frame_ids=[0])
    return slim


def _check_need(need: str) -> None:
    if need not in NEEDS:
        raise ValueError(f'need must be one of {NEEDS}, got {need!r}')


def disable_initial_weights(model: dict) -> None:
    """Drop every `init_cfg` of a model config: a checkpoint replaces all weights, and the files of
    the initial ones need not be there."""
    for key, value in list(model.items()):
        if key == 'init_cfg':
            model[key] = None
        elif isinstance(value, dict):
            disable_initial_weights(value)


def read_checkpoint(weights: str | os.PathLike, map_location: Any = 'cpu') -> Any:
    """What a checkpoint, path or URL, holds; no code that it may contain is run. FileNotFoundError,
    RuntimeError: the file is missing, broken, or holds code; ValueError: it is a folder, or an
    address of another kind."""
    path = str(Path(weights).expanduser()) if '://' not in str(weights) else str(weights)
    if '://' in path and not path.startswith(('http://', 'https://')):
        # mmengine reads the files of its other schemes by unpickling
        raise ValueError(f'weights {path} are neither a path nor an address of http or https')
    if Path(path).is_dir():
        raise ValueError(explain_folder(Path(path)))
    return CheckpointLoader.load_checkpoint(path, map_location, 'silent')


def load_weights(
    network: nn.Module,
    weights: str | os.PathLike | Mapping[str, Any],
    need: str = 'depth',
    config: str = 'the config',
    path: str | None = None,
) -> None:
    """Load a checkpoint: all that is needed of it, or nothing.

    Args:
        network: changed in place; `depth_scale` is set to what the checkpoint says.
        weights: path or URL of a checkpoint of mmengine, or of a plain state dict; or its content.
        need: one of `NEEDS`.
        config: how errors call the config.
        path: how errors call the file, where `weights` is its content.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing, broken, or holds code.
        ValueError: its weights are not those of this network, or not finite, or it is a folder.
    """
    stored = weights if isinstance(weights, Mapping) else read_checkpoint(weights)
    path = path or ('given' if isinstance(weights, Mapping) else str(weights))
    state, own = named_tensors(stored, path), network.state_dict()
    needed, found = _judged_parts(need, own, state)
    if problem := explain_misfit(needed, found):
        raise ValueError(f'weights {path} do not fit the model of {config}: {problem}')
    taken = {k: v for k, v in state.items() if k in found or k.startswith(_PREPROCESSOR)}
    if need == 'training':
        taken |= {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    check_finite(taken, path)
    try:
        network.load_state_dict(taken, strict=False)
    except ValueError as error:
        raise ValueError(f'weights {path} do not fit the model of {config}: {error}') from None
    network.depth_scale = read_depth_scale(stored, path)
    if need == 'training':
        print_log(_describe_start(path, own, taken, state), 'current')


def _judged_parts(need: str, own: State, state: State) -> tuple[State, State]:
    """What of the network's and of the file's weights has to be the same."""
    _check_need(need)
    own_poses, poses = (any(k.startswith('pose_net.') for k in keys) for keys in (own, state))
    ignored: tuple[str, ...] = (_PREPROCESSOR,)
    if need != 'all':
        judged = need != 'depth' and own_poses and (need == 'depth+pose' or poses)
        ignored += TRAINING_ONLY if judged else ('pose_net.', *TRAINING_ONLY)
    needed, found = (
        {key: value for key, value in tensors.items() if not key.startswith(ignored)}
        for tensors in (own, state)
    )
    parts = {key.split('.')[0] for key in needed}
    if need == 'training' and parts <= {key.split('.')[0] for key in found}:
        # parts of another estimator belong to the rest
        found = {key: value for key, value in found.items() if key.split('.')[0] in parts}
    return needed, found


def _describe_start(path: str, own: State, taken: State, state: State) -> str:
    """What a training starts from, in one line."""
    parts = list(dict.fromkeys(key.split('.')[0] for key in taken if key in own))
    text = f'Weights of {path}: {", ".join(parts)}'
    for what, tensors in (('stay as they were', own), ('are not used', state)):
        if keys := [key for key in tensors if key not in taken]:
            text += f'; {len(keys)} {what} ({some(keys)})'
    return text


def read_depth_scale(stored: Any, path: str) -> float | None:
    """Metres per unit of depth that a checkpoint names as `meta['depth_scale']`; None without.
    Converted stereo weights of Monodepth2 have one: they learnt with a wrong baseline. ValueError:
    it is no positive number."""
    meta = stored.get('meta') if isinstance(stored, Mapping) else None
    scale = meta.get('depth_scale') if isinstance(meta, Mapping) else None
    if scale is None:
        return None
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
        expected = "meta['depth_scale'] must be a positive number"
        raise ValueError(f'weights {path}: {expected}, got {scale!r}')
    return float(scale)

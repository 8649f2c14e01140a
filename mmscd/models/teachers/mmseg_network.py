"""Building of mmseg networks for inference: no training parts, no downloads, no changed scope."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from torch import nn

from mmscd.utils.compat import require_openmmlab
from mmscd.utils.config import load_config

# of the model config: only training needs them
TRAINING_PARTS = ('auxiliary_head', 'train_cfg', 'pretrained', 'init_cfg')
# how mmseg fails where mmdet or mmcv.ops is missing
_UNBUILT = (
    *(ImportError, LookupError, TypeError, AttributeError, ValueError, RuntimeError),
    AssertionError,
)
FAMILIES_NOTE = 'configs/teachers/README.md lists what needs other packages or compiled ops'


class Normalisation(NamedTuple):
    """What a network wants its images to be; `mean` and `std` belong to pixels in [0, 255]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool


def read_model_config(config: str | Mapping[str, Any]) -> ConfigDict:
    """A copy of the `model` part of an mmseg config: `mmseg::...`, a path, a whole config, or the
    part itself. ImportError: it imports a package that is not installed; ValueError: it has no
    model."""
    if isinstance(config, str):
        try:
            whole = load_config(config)._cfg_dict
        except ImportError as error:
            reason = str(error).split(', the current sys.path')[0]
            raise ImportError(f'{config}: {reason}. {FAMILIES_NOTE}') from error
    else:
        whole = ConfigDict(getattr(config, '_cfg_dict', config))
    model = whole if 'backbone' in whole else whole.get('model')
    if not isinstance(model, Mapping) or 'type' not in model:
        raise ValueError(
            f'the teacher config {config if isinstance(config, str) else list(config)} has no '
            '`model` with a `type`; give an mmseg config'
        )
    model = ConfigDict(copy.deepcopy(model))
    if whole.get('data_preprocessor'):
        model.setdefault('data_preprocessor', whole.data_preprocessor)
    _take_normalisation(whole, model, config if isinstance(config, str) else 'the teacher config')
    return model


def _take_normalisation(whole: Mapping[str, Any], model: dict[str, Any], what: str) -> None:
    """Write into `data_preprocessor` what mmseg 0.x writes as `Normalize` into its pipelines: the
    same numbers, of the channels after `to_rgb`. ValueError: pipelines disagree, or both are
    there."""
    steps = _find_steps({k: v for k, v in whole.items() if k != 'model'}, 'Normalize')
    steps += [whole['img_norm_cfg']] if whole.get('img_norm_cfg') else []
    found = {(tuple(s['mean']), tuple(s['std']), bool(s.get('to_rgb', True))) for s in steps}
    stated = (model.get('data_preprocessor') or {}).get('mean') is not None
    if len(found) + stated > 1:
        both = ', and data_preprocessor normalises too' if stated else ''
        raise ValueError(
            f'{what}: its pipelines normalise images by {sorted(found)}{both}: keep the one that '
            'the network was trained with'
        )
    for mean, std, to_rgb in found:
        model['data_preprocessor'] = dict(
            type='SegDataPreProcessor', mean=list(mean), std=list(std), bgr_to_rgb=to_rgb
        )
    if not found and not stated:
        told = f'{what} says of no normalisation, so the network gets pixels in [0, 255]'
        print_log(
            f'{told}; if that is wrong, give model.data_preprocessor mean and std', 'current', 30
        )


def _find_steps(value: Any, name: str) -> list[Mapping[str, Any]]:
    """The transforms of that type anywhere in a config."""
    if isinstance(value, Mapping):
        own = [value] if str(value.get('type')).rsplit('.')[-1] == name else []
        return own + _find_steps(list(value.values()), name)
    if isinstance(value, (list, tuple)):
        return [step for part in value for step in _find_steps(part, name)]
    return []


def build_network(model: Mapping[str, Any], seed: int = 0) -> nn.Module:
    """A frozen network of mmseg in eval mode, with random weights of that seed.

    The global generators keep their state, so that building it changes no draw of the training, and
    every process gets the same one. What mmseg cannot build, as a rule for want of a package or a
    compiled op, is a RuntimeError.
    """
    require_openmmlab('mmengine', 'mmcv', 'mmseg')
    from mmseg.registry import MODELS

    model = ConfigDict(_without_training(model))
    # init_model would make mmseg the global scope under a living Runner
    with DefaultScope.overwrite_default_scope('mmseg'), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = MODELS.build(model)
        except _UNBUILT as error:
            raise RuntimeError(
                f'the teacher network {_name(model)} could not be built: '
                f'{type(error).__name__}: {error}. {FAMILIES_NOTE}'
            ) from error
    network = revert_sync_batchnorm(network)
    network.requires_grad_(False)
    network.eval()
    return network


def read_normalisation(model: Mapping[str, Any]) -> Normalisation:
    """Mean, standard deviation and channel order out of the config's `data_preprocessor`.

    mmseg loads images as BGR; `bgr_to_rgb=True` turns them before normalisation, and `mean` and
    `std` are in the order after turning. Without it the network was trained on BGR. mmseg turns
    channels for `rgb_to_bgr` in the same way, and what it loads is BGR there too.
    """
    config = model.get('data_preprocessor') or {}
    turned = bool(config.get('bgr_to_rgb') or config.get('rgb_to_bgr'))
    mean, std = config.get('mean'), config.get('std')
    if mean is not None and 0 < max(mean) <= 1:
        raise ValueError(
            f'data_preprocessor of the teacher: mean {tuple(mean)} is of images in [0, 1], mmseg '
            'has [0, 255]: give mean and std times 255'
        )
    return Normalisation(
        tuple(mean) if mean is not None else (0.0, 0.0, 0.0),
        tuple(std) if std is not None else (1.0, 1.0, 1.0),
        bgr=not turned,
    )


def _without_training(value: Any, top: bool = True) -> Any:
    """The config without initial weights anywhere, and without training parts at the top."""
    if isinstance(value, Mapping):
        dropped = TRAINING_PARTS if top else ('pretrained', 'init_cfg')
        return {k: _without_training(v, False) for k, v in value.items() if k not in dropped}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_training(v, False) for v in value)
    return value


def _name(model: Mapping[str, Any]) -> str:
    parts = [model, model.get('backbone'), model.get('decode_head')]
    return ' / '.join(str(p['type']) for p in parts if isinstance(p, Mapping) and 'type' in p)

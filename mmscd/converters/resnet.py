"""ResNets with torchvision's parameter names: torchvision, timm, what was trained from them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from mmscd.models.backbones.resnet_encoder import ARCHITECTURES, Bottleneck, ResNetEncoder

from .key_map import KeyMap, UnmappedKeysError

_BLOCK = re.compile(r'layer([1-4])\.(\d+)\.')
_DEEPER: dict[tuple[int, ...], str] = {(3, 4, 23, 3): 'ResNet-101', (3, 8, 36, 3): 'ResNet-152'}
# parts that tell a relative of ResNet from one
_RELATIVES = {
    r'^conv1\.\d': 'a deep stem of several convolutions (ResNet-C, -D, -S)',
    r'\.se\.|\.attn\.': 'attention in its blocks (SE-ResNet, ECA-ResNet and the like)',
    r'\.downsample\.2\.': 'average pooling in its shortcuts (ResNet-D)',
    r'\.aa\.': 'anti-aliased strides',
}


def find_resnet_depth(state: Mapping[str, Tensor], what: str) -> int:
    """18, 34 or 50, of torchvision's names; UnmappedKeysError: no ResNet, or one that mmscd
    lacks."""
    for pattern, description in _RELATIVES.items():
        if keys := [key for key in state if re.search(pattern, key)]:
            raise UnmappedKeysError(what, keys, hint=f'it has {description}; mmscd has plain ones')
    found = [match.groups() for match in map(_BLOCK.match, state) if match]
    counts = tuple(len({block for layer, block in found if layer == n}) for n in '1234')
    bottleneck = any('.conv3.' in key for key in state)
    for depth, (block, blocks) in ARCHITECTURES.items():
        if counts == blocks and bottleneck == (block is Bottleneck):
            return depth
    ours = ', '.join(f'ResNet-{depth}' for depth in ARCHITECTURES)
    if not any(counts):
        hint = f'expected conv1, bn1, layer1.0.conv1, ... of {ours}'
        raise UnmappedKeysError(what, state, hint=hint)
    name = _DEEPER.get(counts, f'ResNet of {counts} blocks')
    raise UnmappedKeysError(what, hint=f'it is a {name}, mmscd has {ours}')


def map_resnet(
    state: Mapping[str, Tensor], what: str, keys: KeyMap, target: str = '', in_channels: int = 3
) -> int:
    """The names of our ResNetEncoder, shapes checked; returns its depth. `state` has torchvision's
    names without any prefix, `target` is the prefix of the new ones. UnmappedKeysError: a parameter
    has no place, is missing, or has another shape."""
    depth = find_resnet_depth(state, what)
    with torch.device('meta'):
        wanted = ResNetEncoder(depth, in_channels).state_dict()
    head = [key for key in state if key in ('fc.weight', 'fc.bias')]
    keys.dropped.update({f'{what}: {key}': 'the classifier' for key in head})
    kept = {key: value for key, value in state.items() if key not in head}
    # files from before PyTorch 0.4.1 have no counters, and nothing reads them
    counters = [key for key in wanted if key.endswith('num_batches_tracked') and key not in kept]
    kept.update({key: torch.zeros((), dtype=torch.int64) for key in counters})
    hint = f'by its blocks it is a ResNet-{depth} with {in_channels} input channels'
    if any(k in kept and kept[k].shape != v.shape for k, v in wanted.items() if 'conv2.w' in k):
        hint += '; groups or widths differ (ResNeXt, Wide ResNet?)'
    keys.rename(kept, {key: key for key in wanted}, wanted, what, target, hint)
    keys.sources.update({target + key: 'zero, not in the file' for key in counters})
    return depth


def convert_resnet(state: Mapping[str, Tensor], what: str) -> tuple[KeyMap, int]:
    """ImageNet weights for `ResNetEncoder(init_cfg=dict(type='Pretrained', ...))`: map and depth.

    Args:
        state: of torchvision's or timm's `resnet18`, `resnet34` or `resnet50`; a prefix that all
            names share (`backbone.`, `encoder.`, ...) is taken off.
        what: names the file in errors.

    Raises:
        UnmappedKeysError: see `map_resnet`.
    """
    stems = {key[: -len('conv1.weight')] for key in state if key.endswith('conv1.weight')}
    prefix = min(stems, key=len, default='')
    keys = KeyMap()
    if prefix.startswith('layer') or not prefix:
        return keys, map_resnet(state, what, keys)
    inside = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    outside = [key for key in state if not key.startswith(prefix)]
    # `fc` of wrappers that put the network aside
    rest = [key for key in outside if not re.match(r'(.*\.)?(fc|head|classifier)\.', key)]
    if rest:
        raise UnmappedKeysError(what, rest, hint=f'the ResNet is under {prefix!r}')
    keys.dropped.update({f'{what}: {key}': 'the classifier' for key in outside})
    return keys, map_resnet(inside, what, keys)

"""The weights in what a checkpoint file holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# where the weights may be inside a checkpoint
NESTS = ('state_dict', 'model', 'model_state_dict', 'state_dict_ema')
# entries of Monodepth2's encoder.pth that are no weights
SETTINGS = ('height', 'width', 'use_stereo')
_LARGE = 1 << 32  # bytes


def unpack(content: Any) -> Any:
    """The innermost state dict of a checkpoint, itself where there is none inside."""
    for nest in NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    return content


def named_tensors(content: Any, path: Any) -> dict[str, Any]:
    """Tensors by name of a checkpoint of mmengine, or of a plain state dict, without the names of
    wrappers (DataParallel, Lightning, torch.compile); `path` names the file in the ValueError:
    there are none, or they are no plain numbers."""
    from torch import Tensor, strided

    state = unpack(content)
    tensors = {}
    if isinstance(state, Mapping):
        tensors = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if not tensors:
        kind = f'a {type(content).__name__}'
        if isinstance(content, Mapping):
            kind = f'a dict with the keys {some(map(str, content))}'
        mend = 'give a checkpoint that training wrote (iter_N.pth), or a state dict'
        raise ValueError(f'weights {path} hold no parameters of a network ({kind}): {mend}')
    strange = [
        key
        for key, value in tensors.items()
        if value.layout != strided
        or value.is_quantized
        or value.is_meta
        or value.is_complex()
        or value.nbytes > max(value.untyped_storage().nbytes(), _LARGE)
    ]
    if strange:
        kind = f'{some(strange)}: sparse, quantised, complex, or larger than the file'
        raise ValueError(f'weights {path} are no plain numbers ({kind}): give other ones')
    tensors = {key.replace('_orig_mod.', ''): value for key, value in tensors.items()}
    for prefix in ('module.', 'model.'):
        if all(key.startswith(prefix) or key in SETTINGS for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def check_finite(tensors: Mapping[str, Any], path: Any) -> None:
    """Refuse NaN and infinity, in a ValueError; `path` names the file."""
    # a sum has them if a value has: one reading, without a copy
    odd = {key: value for key, value in tensors.items() if not value.float().sum().isfinite()}
    if bad := [key for key, value in odd.items() if not value.float().isfinite().all()]:
        count = f'{len(bad)} of {len(tensors)} tensors ({some(bad)})'
        mend = 'the training had collapsed; take an earlier checkpoint'
        raise ValueError(f'weights {path} hold values that are not finite in {count}: {mend}')


def some(keys: Any, examples: int = 3) -> str:
    """The first few of many names."""
    keys = list(keys)
    return ', '.join(keys[:examples]) + (', ...' if len(keys) > examples else '')

"""What metrics read of data samples: names, maps and conditions; and every image counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from .functional import invert, resize_inverse_depth, to_numpy


def identify(sample: Mapping[str, Any]) -> dict[str, Any]:
    """`sample_idx` and `img_path`, by which an image is known; KeyError where it has neither."""
    record = {key: sample.get(key) for key in ('sample_idx', 'img_path')}
    if record['sample_idx'] is None and record['img_path'] is None:
        raise KeyError(
            'a data sample has neither `sample_idx` nor `img_path` in its metainfo: without '
            'one of them an image could count twice over several ranks'
        )
    return record


def drop_doubles(records: Sequence[dict]) -> list[dict]:
    """Records of `identify` in the order of the data set, the first of each image."""
    unique: dict[tuple, dict] = {}
    for record in records:
        # the path too: the parts of a concatenated data set may count from 0 each
        unique.setdefault((record['sample_idx'], record['img_path']), record)
    kept = list(unique.values())
    if all(record['sample_idx'] is not None for record in kept):
        kept.sort(key=lambda record: record['sample_idx'])
    return kept


def get_map(sample: Mapping[str, Any], name: str) -> np.ndarray | None:
    """The map (H, W) of a field, which may be a PixelData, its dict form, or a bare array."""
    field = sample.get(name)
    if field is None:
        # BaseDataElement hides the private twin of a property; other dumps may not
        field = sample.get(f'_{name}')
    if isinstance(field, Mapping):
        field = field['data']
    elif isinstance(field, BaseDataElement):
        field = field.data
    return None if field is None else to_numpy(field)


def predicted_depth(sample: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Depth (H, W) of a sample (`DepthDataSample.to_dict()`) at the size of the ground truth.

    `pred_depth` itself where it has this size, else inverse depth resized bilinearly
    (`pred_inv_depth`, else 1 / `pred_depth`) and inverted.

    Raises:
        KeyError: there is neither `pred_depth` nor `pred_inv_depth`.
    """
    depth = get_map(sample, 'pred_depth')
    if depth is not None and depth.shape == tuple(shape):
        return depth
    inverse = get_map(sample, 'pred_inv_depth')
    if inverse is None:
        if depth is None:
            raise KeyError(
                'a data sample has neither `pred_depth` nor `pred_inv_depth` '
                f'({sample.get("img_path")}): does the model run in mode "predict"?'
            )
        inverse = invert(depth)
    # what is infinitely near has not been computed; resized it would be NaN in parts
    inverse = np.where(np.isinf(inverse), np.nan, inverse)
    return invert(resize_inverse_depth(inverse, shape))


def read_conditions(sample: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Conditions under which the image of a sample was taken (day, night, rain, ...), each once.

    The value is a text or a list of texts: an image may be of several conditions. ValueError: it is
    neither, or has a slash, which separates parts of metric names.
    """
    value = sample.get(key)
    named = () if value is None else [value] if isinstance(value, str) else value
    if not isinstance(named, (list, tuple)) or not all(isinstance(n, str) and n for n in named):
        raise ValueError(
            f'{key!r} of a data sample must be a text or a list of texts, got {value!r} '
            f'({sample.get("img_path")})'
        )
    if any('/' in name for name in named):
        raise ValueError(f'{key!r} must not contain a slash, got {value!r}')
    return tuple(dict.fromkeys(named))


def group_by_condition(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Records by their `conditions`, in alphabetical order; one with several is in each of them.
    Those without come last, as `other`; empty where no record has a condition."""
    names = sorted({name for record in records for name in record['conditions']})
    groups = {name: [r for r in records if name in r['conditions']] for name in names}
    rest = [record for record in records if not record['conditions']]
    if groups and rest:
        groups['other'] = groups.get('other', []) + rest
    return groups

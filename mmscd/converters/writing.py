"""A converted checkpoint and its config: tried, then written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmscd.models import loading
from mmscd.utils import compat
from mmscd.utils.files import atomic_write


def build_and_load(config_text: str, weights: Mapping[str, Tensor]) -> torch.nn.Module:
    """The model of a config with all its weights, in eval mode.

    Args:
        config_text: of a config file.
        weights: of the whole model.

    Raises:
        ValueError: weights are missing, or have no place.
    """
    compat.apply()
    network = loading.build_network(Config.fromstring(config_text, '.py'), 'depth+pose')
    loading.load_weights(network, weights, 'all')
    return network


def write_converted(
    out: Path,
    weights: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    config_text: str | None = None,
) -> list[Path]:
    """Write OUT.pth and, beside it, OUT.py. Nothing is written where the two do not fit.

    Args:
        out: ends in .pth.
        weights: new names.
        meta: plain values about where they come from.
        config_text: None where the weights are of a part only.

    Returns:
        What was written.
    """
    if out.suffix != '.pth':
        raise ValueError(f'OUT must end in .pth, got {out}')
    if config_text is not None:
        build_and_load(config_text, weights)
    buffer = io.BytesIO()
    torch.save(dict(meta=dict(meta), state_dict=dict(weights)), buffer)
    written = [out]
    if config_text is not None:
        written.append(out.with_suffix('.py'))
        atomic_write(written[-1], config_text.encode())
    atomic_write(out, buffer.getvalue())
    return written

"""Which map of an unknown network to tap: found by running it, not assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .mmseg_network import build_network, read_model_config


@torch.no_grad()
def choose_tap(
    config: str | Mapping[str, Any], height: int = 192, width: int = 640, stride: int = 16
) -> dict[str, Any]:
    """The map of a network's backbone whose stride is nearest to the wanted one.

    The network is built with random weights and its backbone run once. Nearest is by ratio; of
    equally near maps the last one is taken, since it has seen the most of the network.

    Args:
        config: as in `MMSegTeacher`.
        height, width: size of the image that is tried.
        stride: the wanted one.

    Returns:
        A tap: `module`, `index` where there are several maps, `channels`, `stride`.

    Raises:
        ValueError: the backbone puts out no maps (B, C, h, w), or takes no image of that size.
    """
    network = build_network(read_model_config(config))
    try:
        output = network.backbone(torch.zeros(1, 3, height, width))
    except RuntimeError as error:
        raise ValueError(
            f'{type(network.backbone).__name__} takes no images of {width}x{height} ({error}); '
            'write a teacher file with `input_size` and `taps`, see configs/teachers/README.md'
        ) from error
    maps = [output] if isinstance(output, Tensor) else list(output)
    found = []
    for index, feat in enumerate(maps):
        if isinstance(feat, Tensor) and feat.dim() == 4:
            own = round(width / feat.shape[-1])
            found.append((abs(math.log2(own / stride)), -index, own, feat.shape[1]))
    if not found:
        raise ValueError(
            f'{type(network.backbone).__name__} puts out no feature maps (B, C, h, w) to choose '
            'from; write a teacher file with `taps`, see configs/teachers/README.md'
        )
    _, index, own, channels = min(found)
    tap = dict(module='backbone', channels=channels, stride=own)
    return tap if isinstance(output, Tensor) else dict(tap, index=-index)

"""Running statistics of batch normalisation in networks that run several times a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """While it is open, batch normalisation in `module` updates no running statistics.

    In training mode a batch is still normalised by its own statistics. Running statistics describe
    the images that the network meets at inference; perturbed images must not enter them.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True

"""Randomness that does not remember how it got here."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmscd.registry import HOOKS
from mmscd.utils.keyed_random import make_key


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds torch before every iteration from (seed, iteration, rank).

    Layers that draw from torch's generator, such as dropout or stochastic depth of some backbones,
    draw the same numbers in a resumed run as in one that was never interrupted.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Seed."""
        key = make_key(make_key(runner.seed or 0, runner.iter), get_rank())
        torch.manual_seed(key & (2**63 - 1))

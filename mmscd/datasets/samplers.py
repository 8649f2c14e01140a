"""Sampling order of training, as a pure function of (seed, position)."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmscd.registry import DATA_SAMPLERS
from mmscd.utils.keyed_random import make_key


class SampleIndex(int):
    """A dataset index that carries the key of its random draws (`draw_key`, an int64)."""

    draw_key: int

    def __new__(cls, index: int, draw_key: int) -> SampleIndex:
        self = super().__new__(cls, index)
        self.draw_key = draw_key
        return self

    # the wrappers of mmengine (ConcatDataset, RepeatDataset) compute with indices
    def __add__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) + other, self.draw_key)

    def __sub__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) - other, self.draw_key)

    def __mod__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) % other, self.draw_key)

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.draw_key)


def draw_key(index: int) -> int:
    """The key that a sampler gave an index, an int64; else a random one."""
    key = getattr(index, 'draw_key', None)
    return int(np.random.randint(-(2**63), 2**63 - 1, dtype=np.int64) if key is None else key)


@DATA_SAMPLERS.register_module()
class KeyedInfiniteSampler(Sampler):
    """Endless shuffled stream of indices, split over the ranks, that can be entered anywhere.

    Position p of the stream is a function of (seed, p) alone. Rank r of W takes the positions r,
    r + W, ...: W ranks with batch b see together what one rank with batch W b sees. mmengine's
    `InfiniteSampler` cannot be entered without walking through the stream and gives the samples no
    keys for their augmentation.

    Args:
        dataset: anything with a length.
        shuffle: a new permutation for every pass.
        seed: of the order and of the draws; None agrees on a random one over the ranks.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        if len(dataset) == 0:
            raise ValueError('the dataset is empty: there is nothing to sample')
        self.size, self.shuffle = len(dataset), shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.rank, self.world_size = get_dist_info()
        self.start = 0

    def skip(self, num_samples: int) -> None:
        """Let the next iteration start after `num_samples` samples of this rank."""
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, got {num_samples}')
        self.start = num_samples

    def __iter__(self) -> Iterator[SampleIndex]:
        position = self.rank + self.start * self.world_size
        epoch, order = -1, list(range(self.size))
        while True:
            if self.shuffle and position // self.size != epoch:
                epoch = position // self.size
                seed = make_key(self.seed, -1 - epoch) & (2**63 - 1)
                generator = torch.Generator().manual_seed(seed)
                order = torch.randperm(self.size, generator=generator).tolist()
            yield SampleIndex(order[position % self.size], make_key(self.seed, position))
            position += self.world_size

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Nothing to do: the stream is endless."""

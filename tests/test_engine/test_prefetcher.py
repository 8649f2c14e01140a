"""Batches ahead of their step: the same ones, in the same order. On a GPU: `test_cuda.py`."""

import pytest
import torch

from mmscd.engine.prefetcher import Prefetcher


class Batches:
    """Stands for mmengine's iterator of a training loop."""

    def __init__(self):
        self.given = 0

    def __next__(self):
        self.given += 1
        inputs = dict(frames=torch.full((2, 3), self.given), name='no tensor')
        return dict(inputs=inputs, data_samples=[self.given])

    def skip_iter(self, count):
        self.given += count


def test_batches_come_in_order_one_ahead():
    batches = Batches()
    prefetcher = Prefetcher(batches, torch.device('cpu'))
    assert iter(prefetcher) is prefetcher
    prefetcher.skip_iter(5)
    assert batches.given == 5  # nothing is taken before the first
    for number in range(6, 12):
        batch = next(prefetcher)
        assert (batch['inputs']['frames'] == number).all()
        assert batch['inputs']['name'] == 'no tensor' and batch['data_samples'] == [number]
        assert batches.given == number + 1


def test_what_a_loader_raises_comes_out():
    prefetcher = Prefetcher(iter([]), torch.device('cpu'))
    with pytest.raises(StopIteration):
        next(prefetcher)

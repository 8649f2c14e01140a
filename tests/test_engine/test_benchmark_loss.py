"""The loss that ours is timed against is the same function."""

import pytest
import torch

from mmscd.engine import benchmark_loss


def test_both_losses_are_the_same_function():
    for batch, size, sources in ((1, (64, 32), 2), (2, (70, 44), 1)):
        sides = benchmark_loss.loss_sides(size, batch, sources, scales=3, dtype=torch.float64)
        (eager, eager_grads), (ours, grads) = sides['eager'](), sides['mmscd']()
        assert ours.item() == pytest.approx(eager.item(), rel=1e-12)
        for a, b in zip(eager_grads, grads, strict=True):
            assert (a - b).norm() <= 1e-9 * a.norm()

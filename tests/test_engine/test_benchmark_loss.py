"""The loss that ours is timed against is the same function, in every form."""

import pytest
import torch

from mmscd.engine import benchmark_loss


def test_all_forms_are_the_same_function():
    for batch, size, sources in ((1, (64, 32), 2), (2, (70, 44), 1)):
        sides = benchmark_loss.loss_sides(size, batch, sources, scales=3, dtype=torch.float64)
        eager, eager_grads = sides['eager']()
        for name in set(sides) - {'eager'}:
            ours, grads = sides[name]()
            assert ours.item() == pytest.approx(eager.item(), rel=1e-12)
            for a, b in zip(eager_grads, grads, strict=True):
                assert (a - b).norm() <= 1e-9 * a.norm()

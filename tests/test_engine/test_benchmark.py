"""What the benchmark times against each other is the same function."""

import shutil

import pytest
import torch

from mmscd.engine import benchmark
from mmscd.utils.config import load_config


def test_both_losses_are_the_same_function():
    for batch, size, sources in ((1, (64, 32), 2), (2, (70, 44), 1)):
        sides = benchmark.loss_sides(size, batch, sources, scales=3, dtype=torch.float64)
        (eager, eager_grads), (ours, grads) = sides['eager'](), sides['mmscd']()
        assert ours.item() == pytest.approx(eager.item(), rel=1e-12)
        for a, b in zip(eager_grads, grads, strict=True):
            assert (a - b).norm() <= 1e-9 * a.norm()


def test_turns_alternate_and_warm_up_is_not_timed():
    order = []
    sides = dict(a=lambda: order.append('a'), b=lambda: order.append('b'))
    times = benchmark.take_turns(sides, 2, warm_up=1)
    assert order == ['a', 'b'] * 3
    assert {name: len(own) for name, own in times.items()} == dict(a=2, b=2)


def test_ratios_are_those_of_pairs_of_turns():
    table = benchmark.make_table(dict(slow=[2.0, 4.0, 8.0], fast=[1.0, 1.0, 2.0]), samples=8)
    rows = [[c.strip() for c in line.split('|')[1:-1]] for line in table.splitlines()]
    assert rows[3] == ['slow', '4000.0', '2000.0', '2.0', '1.00', '1.00']
    assert rows[4] == ['fast', '1000.0', '1000.0', '8.0', '0.25', '0.50']


def test_operations_that_compute_are_counted():
    x = torch.ones(4, 6, requires_grad=True)

    def side():
        (x.view(24)[::2].expand(2, 12) * 3 + 1).sum().backward()

    # forward mul, add, sum; backward mul, the sum of expand, the slice's and the first gradient
    counts = benchmark.count_operations(side)
    assert counts['mul'] == 2 and counts['add'] == 1 and 'view' not in counts
    assert benchmark.count_operations(lambda: torch.empty(3).reshape(3, 1).detach()).total() == 0


def test_every_step_has_a_folder_of_its_own(tiny_config, tmp_path):
    """Also where that of an earlier step is gone."""
    cfg = load_config(str(tiny_config))
    for number in range(3):
        benchmark.training_step(cfg, str(tmp_path / str(number)))
        assert list((tmp_path / str(number)).glob('*/vis_data/config.py'))
        shutil.rmtree(tmp_path / str(number))

"""Every operation of a step is counted once, in the part that it belongs to."""

import functools
import shutil
from collections import Counter

import pytest
import torch

from mmscd.engine import benchmark
from mmscd.engine.step_parts import PARTS, PartClock, count_generated, count_operations
from mmscd.utils.compiling import run
from mmscd.utils.config import load_config


def test_operations_that_compute_are_counted():
    x = torch.ones(4, 6, requires_grad=True)

    def side():
        (x.view(24)[::2].expand(2, 12) * 3 + 1).sum().backward()

    # forward mul, add, sum; backward mul, the sum of expand, the slice's and the first gradient
    counts = count_operations(side)
    assert counts['', 'mul'] == 2 and counts['', 'add'] == 1 and ('', 'view') not in counts
    assert count_operations(lambda: torch.empty(3).reshape(3, 1).detach()).total() == 0


@pytest.fixture(scope='module')
def step(tiny_scd_config, tmp_path_factory):
    cfg = load_config(str(tiny_scd_config))
    cfg.model.losses.texture.samples = 1.0
    step = benchmark.training_step(cfg, str(tmp_path_factory.mktemp('step')))
    step()  # Adam makes its state
    return step


def test_operations_are_counted_where_they_belong(step):
    """Convolutions, forward and backward, are the networks' and the teacher's, who learns nothing:
    motion, and depth of the clean and the perturbed image, whose finest map alone counts; depth of
    a source learns nothing either."""
    clock = PartClock()
    with clock.watching(step.model, step.optimizer):
        counts = count_operations(step, clock)
    by_name = {part: Counter() for part in PARTS}
    for (part, name), count in counts.items():
        by_name[part][name] += count
    names = [n for n, m in step.model.named_modules() if isinstance(m, torch.nn.Conv2d)]
    depth, motion = (
        sum(n.startswith(starts) for n in names) for starts in (('backbone', 'disp_head'), 'pose')
    )
    assert by_name['networks']['convolution'] == motion + 3 * depth
    assert by_name['networks']['convolution_backward'] == motion + 2 * depth - 3
    assert by_name['teacher']['convolution'] > 10
    assert not {'convolution', 'convolution_backward'} & {*by_name['loss'], *by_name['optimizer']}
    assert by_name['loss']['_softmax'] > 0 and not by_name['networks']['_softmax']
    assert step.count_by_part() == {part: c.total() for part, c in by_name.items()}
    assert sum(step.count_by_part().values()) == count_operations(step).total()


def test_shares_are_of_the_whole_and_nothing_stays_behind(step):
    shares = step.share_of_parts(2)
    assert list(shares) == list(PARTS) and all(share > 0 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1)
    assert shares['networks'] == max(shares.values())
    owners = (step.model, step.optimizer, step.model.data_preprocessor, step.model.distiller)
    for name in ('estimate_disps', 'backward', 'step', 'forward', 'run_teacher'):
        assert not any(name in vars(owner) for owner in owners)


def test_a_watched_step_is_the_step(tiny_config, tmp_path):
    cfg = load_config(str(tiny_config))
    plain, watched = (benchmark.training_step(cfg, str(tmp_path / n)) for n in 'ab')
    clock = PartClock()
    with clock.watching(watched.model, watched.optimizer):
        losses = [watched()['loss'].item() for _ in range(3)]
    assert losses == [plain()['loss'].item() for _ in range(3)]


WEIGHT = torch.eye(4)


def fused(x):
    """One library call and, before and after it, what fuses to a kernel each."""
    return ((2 * x).relu() @ WEIGHT).sigmoid().square()


@pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler')
def test_compiled_code_is_counted_by_its_kernels_and_calls():
    side = functools.partial(run, True, fused, torch.ones(4, 4))
    assert count_generated(side) == 2
    assert count_operations(side) == {('', 'mm'): 1}
    assert count_operations(lambda: fused(torch.ones(4, 4))).total() == 6

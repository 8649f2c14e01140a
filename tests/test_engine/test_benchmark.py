"""Steps take turns, ratios are those of pairs, a timed training is the training."""

import shutil

import torch

from mmscd.engine import benchmark
from mmscd.utils.config import load_config


def test_turns_alternate_and_warm_up_is_not_timed():
    order = []
    sides = dict(a=lambda: order.append('a'), b=lambda: order.append('b'))
    times = benchmark.take_turns(sides, 2, warm_up=1)
    assert order == ['a', 'b'] * 3
    assert {name: len(own) for name, own in times.items()} == dict(a=2, b=2)


def test_ratios_are_those_of_pairs_of_turns():
    costs = dict(slow=benchmark.Cost([2.0, 4.0, 8.0]), fast=benchmark.Cost([1.0, 1.0, 2.0]))
    table = benchmark.make_table(benchmark.make_rows(costs, samples=8))
    rows = [[c.strip() for c in line.split('|')[1:-1]] for line in table.splitlines()]
    assert rows[3] == ['slow', '4000.0', '2000.0', '2.0', '1.00', '1.00']
    assert rows[4] == ['fast', '1000.0', '1000.0', '8.0', '0.25', '0.50']


def test_every_step_has_a_folder_of_its_own(tiny_config, tmp_path):
    """Also where that of an earlier step is gone."""
    cfg = load_config(str(tiny_config))
    for number in range(3):
        benchmark.training_step(cfg, str(tmp_path / str(number)))
        assert list((tmp_path / str(number)).glob('*/vis_data/config.py'))
        shutil.rmtree(tmp_path / str(number))


def test_a_timed_training_is_the_training(tiny_config, tmp_path):
    """As many iterations, through the config's loader; its first loss is the one of a step."""
    cfg = load_config(str(tiny_config))
    cfg.default_hooks.logger.interval = 1
    seconds, waiting = benchmark.time_training(cfg, str(tmp_path / 'a'), False, 2, warm_up=1)
    assert seconds > 0 and 0 <= waiting < 1
    checkpoint = torch.load(tmp_path / 'a/iter_3.pth', weights_only=True)
    logged = checkpoint['message_hub']['log_scalars']['train/loss']['log_history']
    step = benchmark.training_step(cfg, str(tmp_path / 'b'), fixed=False)
    assert logged == [step()['loss'].item() for _ in range(3)]


def test_a_fixed_batch_and_a_stream_begin_alike(tiny_config, tmp_path):
    cfg = load_config(str(tiny_config))
    streams = [benchmark.training_step(cfg, str(tmp_path / f'{f}'), fixed=f) for f in (0, 1)]
    (a, b), (c, d) = ([step()['loss'].item() for _ in range(2)] for step in streams)
    assert a == c and b != d

"""Hooks in isolation; the runs of tests/test_tools see them together."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer

from mmscd.engine import CollapseMonitorHook, IterationSeedHook
from mmscd.engine.hooks.atomic_checkpoint_hook import restore_buffers, to_plain


class _Model(torch.nn.Module):
    """Stands in for an estimator in the hook's eyes: a preprocessor and a disparity."""

    def data_preprocessor(self, data, training):
        assert not training
        return dict(inputs=dict(frames=torch.rand(2, 3, 3, 8, 12)))

    def forward(self, inputs, mode):
        assert mode == 'tensor' and not self.training
        return torch.full((2, 1, 8, 12), float('nan'))


@pytest.fixture
def runner(tmp_path):
    runner = SimpleNamespace(iter=0, model=_Model().train(), work_dir=tmp_path, seed=3)
    runner.logger = SimpleNamespace(warning=lambda text: runner.warnings.append(text))
    runner.warnings = []
    return runner


def run(hook, runner, values):
    for value in values:
        hook.after_train_iter(runner, runner.iter, {}, value)
        runner.iter += 1


def test_collapse_warns_once_with_a_picture(runner, tmp_path):
    hook = CollapseMonitorHook(dict(disp_spread=(0.05, 10)), interval=1, begin=3, patience=2)
    flat = dict(loss=torch.tensor(0.1), disp_spread=torch.tensor(0.01))
    run(hook, runner, [flat] * 3)
    assert runner.warnings == []
    run(hook, runner, [flat] * 5)
    assert len(runner.warnings) == 1
    assert 'disp_spread = 0.01 has left [0.05, 10]' in runner.warnings[0]
    assert len(list((tmp_path / 'collapse').glob('iter_4_disp_spread.png'))) == 1
    assert runner.model.training, 'the look must not leave the model in evaluation mode'


def test_recovery_resets_the_count(runner):
    hook = CollapseMonitorHook(dict(disp_spread=(0.05, 10)), interval=1, begin=1, patience=2)
    bad, good = dict(disp_spread=0.0), dict(disp_spread=0.5)
    run(hook, runner, [bad, good, bad, good, bad])
    assert runner.warnings == []


def test_nan_stops_at_once_with_a_picture(runner, tmp_path):
    hook = CollapseMonitorHook(interval=1, begin=1000)
    with pytest.raises(FloatingPointError, match='loss_photometric is not finite'):
        run(hook, runner, [dict(loss_photometric=torch.tensor(float('nan')))])
    assert (tmp_path / 'collapse' / 'iter_1_nan.png').is_file()


@pytest.mark.parametrize(
    'name, value, words',
    [
        ('disp_spread', 0.0, 'the depth map is flat'),
        ('disp_saturation', 0.5, 'near things are cut off at min_depth'),
        ('disp_saturation_far', 1.0, 'nearly everything lies at max_depth'),
    ],
)
def test_either_end_has_its_own_advice(runner, name, value, words):
    sane = dict(disp_spread=0.8, disp_saturation=0.0, disp_saturation_far=0.4)
    hook = CollapseMonitorHook(interval=1, begin=1, patience=2)
    run(hook, runner, [sane] * 3)
    assert runner.warnings == []
    run(hook, runner, [{**sane, name: value}] * 3)
    assert len(runner.warnings) == 1 and words in runner.warnings[0]


def test_message_hub_becomes_plain_and_comes_back():
    hub = dict(
        log_scalars={'train/loss': HistoryBuffer([0.5, 0.25], [1, 1])},
        runtime_info=dict(best_score=np.float32(0.5), ids=(1, 2), table=np.arange(2)),
    )
    plain = to_plain(hub)
    assert plain['log_scalars']['train/loss']['log_history'] == [0.5, 0.25]
    assert type(plain['runtime_info']['best_score']) is float
    assert plain['runtime_info']['table'] == [0, 1]
    buffer = restore_buffers(plain['log_scalars'])['train/loss']
    assert buffer.mean() == 0.375


def test_seed_depends_on_the_iteration_alone(runner):
    hook = IterationSeedHook()
    draws = []
    for iteration in (5, 6, 5):
        runner.iter = iteration
        hook.before_train_iter(runner, iteration)
        draws.append(torch.rand(3))
    assert torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[1])

"""Logged values wait on the device: few transfers, and the same numbers as mmengine's hook."""

import json
from contextlib import contextmanager

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils._python_dispatch import TorchDispatchMode

from mmscd.engine import CollapseMonitorHook
from mmscd.engine.hooks.lazy_runtime_info_hook import stack_values
from mmscd.engine.launch import build_runner
from mmscd.registry import HOOKS
from mmscd.utils.config import load_config

METHODS = ('item', 'tolist', 'cpu', 'numpy', '__float__', '__int__', '__bool__')
OPERATIONS = ('_local_scalar_dense', 'nonzero', 'masked_select', 'equal')


class CountedOperations(TorchDispatchMode):
    """Counts operations whose result the host has to wait for."""

    def __init__(self, counter):
        super().__init__()
        self.counter = counter

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.__name__.split('.')[0] in OPERATIONS:
            self.counter.add(func.__name__)
        return func(*args, **(kwargs or {}))


class Counter:
    """Where the host would wait for the device, if the tensors were on one."""

    def __init__(self):
        self.found, self.paused = [], False

    def add(self, name):
        if not self.paused:
            self.found.append(name)

    @contextmanager
    def counting(self):
        with pytest.MonkeyPatch.context() as patch, CountedOperations(self):
            for name in METHODS:
                patch.setattr(torch.Tensor, name, self.wrap(name, getattr(torch.Tensor, name)))
            yield

    def wrap(self, name, original):
        def method(tensor, *args, **kwargs):
            self.add(name)
            paused, self.paused = self.paused, True
            try:
                return original(tensor, *args, **kwargs)
            finally:
                self.paused = paused

        return method


@HOOKS.register_module()
class CountTransfersHook(Hook):
    """Counts from the begin of an iteration to the end of all hooks that follow it."""

    priority = 'LOWEST'
    iterations = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        counter = Counter()
        self.iterations.append(counter.found)
        step = runner.optim_wrapper.optimizer.step
        # the optimizer's counts of steps are tensors on the host, wherever the parameters are

        def uncounted(*args, **kwargs):
            counter.paused = True
            step(*args, **kwargs)
            counter.paused = False

        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(runner.optim_wrapper.optimizer, 'step', uncounted)
        self.context = counter.counting()
        self.context.__enter__()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.context.__exit__(None, None, None)
        self.patch.undo()


def train(config, work_dir, lazy=True, interval=1, window=1, iterations=4, **more):
    cfg = load_config(str(config))
    cfg.work_dir = cfg.experiment_name = cfg.visualizer.name = str(work_dir)
    cfg.train_cfg.update(max_iters=iterations, val_interval=100)
    for name in ('val', 'test'):
        cfg[f'{name}_cfg'] = cfg[f'{name}_dataloader'] = cfg[f'{name}_evaluator'] = None
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.log_processor.window_size = window
    cfg.default_hooks.logger.interval = interval
    cfg.default_hooks.checkpoint.update(interval=iterations, save_best=None)
    if not lazy:
        cfg.default_hooks.runtime_info = dict(type='RuntimeInfoHook')
    cfg.update(more)
    build_runner(cfg).train()
    return work_dir


def scalars(work_dir):
    """The lines of the log without times."""
    (file,) = work_dir.rglob('scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [{k: v for k, v in line.items() if 'time' not in k} for line in lines]


def history(work_dir, iterations=4):
    """What the checkpoint knows of every iteration."""
    state = torch.load(work_dir / f'iter_{iterations}.pth', weights_only=True)
    buffers = state['message_hub']['log_scalars']
    return {name: b['log_history'] for name, b in buffers.items() if 'time' not in name}


@pytest.mark.parametrize('interval, window', [(1, 1), (2, 3), (3, 10)])
def test_log_and_checkpoint_are_those_of_mmengines_hook(tiny_config, tmp_path, interval, window):
    runs = [
        train(tiny_config, tmp_path / name, lazy=lazy, interval=interval, window=window)
        for name, lazy in (('eager', False), ('lazy', True))
    ]
    eager, lazy = (scalars(run) for run in runs)
    assert eager == lazy and len(lazy) == 4 // interval
    assert {'loss', 'loss_photometric', 'disp_spread'} <= set(lazy[0])
    eager, lazy = (history(run) for run in runs)
    assert eager == lazy and len(lazy['train/loss']) == 4


def test_no_wait_outside_of_logging_iterations(tiny_scd_config, tmp_path, monkeypatch):
    # of the CPU alone, see `test_only_a_cpu_looks_for_nan`
    monkeypatch.setattr('mmscd.geometry.camera._stop_at_nan', lambda grid: None)
    hook = HOOKS.get('CountTransfersHook')
    hook.iterations.clear()
    custom = [dict(type='CountTransfersHook')]
    train(tiny_scd_config, tmp_path / 'run', interval=3, iterations=5, custom_hooks=custom)
    # the graph is on from the third; the last is followed by a checkpoint
    first, second, logged, fourth, _ = hook.iterations
    assert not first and not second and not fourth
    assert logged == ['tolist']


def test_a_look_of_the_collapse_monitor_is_one_transfer():
    values = {f'v{i}': torch.tensor(float(i)) for i in range(17)}
    counter, runner = Counter(), type('Runner', (), dict(iter=0))()
    with counter.counting():
        CollapseMonitorHook(interval=1, begin=100).after_train_iter(runner, 0, {}, values)
    assert counter.found == ['tolist']


def test_values_of_several_kinds_are_one_vector():
    values = dict(a=torch.tensor([0.1]), b=2, c=torch.tensor(0.3, dtype=torch.float64), d=0.5)
    stacked = stack_values(values)
    assert stacked.tolist() == [torch.tensor(0.1).item(), 2, 0.3, 0.5]
    assert not stack_values(dict(a=torch.ones((), requires_grad=True))).requires_grad

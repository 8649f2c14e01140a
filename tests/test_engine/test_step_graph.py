"""The recorded step against the eager one, by a stand-in for the GPU's graph."""

import copy
import gc
import importlib.util
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper

from mmscd.engine import launch, step_graph
from mmscd.engine.step_graph import WARM_UP, StepGraph, use_step_graph, why_eager
from mmscd.geometry import camera
from mmscd.utils.config import load_config

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location('stand_in', HERE / 'stand_in.py')
stand_in = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stand_in)
StandIn = stand_in.StandIn

PARTS = dict(graph=dict(begin=6, ramp=7), texture=dict(begin=12, ramp=5, end=19), structure={})
END, HALF = 26, 13


def make_config(path, folder):
    """Small images; powers of two as learning rates, which float32 holds exactly, as the device
    does."""
    cfg = load_config(str(path))
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    cfg.visualizer.name, cfg.log_level = folder.name, 'WARNING'
    cfg.train_dataloader.dataset.pipeline[1].size = (64, 64)
    cfg.train_dataloader.num_workers = 0
    cfg.optim_wrapper.optimizer.update(lr=2.0**-12, fused=True)
    cfg.optim_wrapper.paramwise_cfg.custom_keys.distiller.lr_mult = 8
    cfg.param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[8, 17], gamma=0.5)]
    cfg.default_hooks.schedule.parts = PARTS
    cfg.default_hooks.distill.interval = 12
    cfg.default_hooks.checkpoint.update(interval=HALF, save_best=None)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=END, val_interval=1000)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


def train(cfg, recorder=None):
    """A whole training; its runner."""
    runner = launch.build_runner(cfg)
    if recorder is not None:
        runner.model.train_step = StepGraph(runner.model, recorder)
    runner.train()
    return runner


def load(folder, name=f'iter_{END}.pth'):
    return torch.load(folder / name, weights_only=True)


def logged(checkpoint):
    scalars = checkpoint['message_hub']['log_scalars']
    return {name: v for name, v in scalars.items() if 'time' not in name and 'memory' not in name}


def assert_same(one, other):
    """Weights, moments and every logged value of every iteration, to the bit."""
    for key, value in other['state_dict'].items():
        assert torch.equal(one['state_dict'][key], value), key
    assert one['optimizer']['state'].keys() == other['optimizer']['state'].keys()
    for key, state in other['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(one['optimizer']['state'][key][name], value), (key, name)
    assert logged(one) == logged(other)


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch):
    """Only the CPU looks for NaN in every step, which its backward pass would not survive."""
    monkeypatch.setattr(camera, '_stop_at_nan', lambda grid: None)


@pytest.fixture(scope='module')
def eager(tiny_scd_config, tmp_path_factory):
    """The folder of a training without any graph."""
    folder = tmp_path_factory.mktemp('eager')
    train(make_config(tiny_scd_config, folder))
    return folder


def test_a_training_of_replayed_steps_is_the_eager_one(tiny_scd_config, eager, tmp_path):
    """Across begin, ramp and end of parts, diagnostics and decay of the learning rate."""
    graph = train(make_config(tiny_scd_config, tmp_path), StandIn).model.train_step
    assert_same(load(tmp_path), load(eager))
    # eager: two iterations with diagnostics, the first steps, and those after three changes of the
    # parts; at the start and at the begin of the graph moments are made, which is a change too
    assert graph.replays == END - 2 - 4 * WARM_UP - 2


def test_it_goes_on_exactly_from_an_eager_checkpoint(tiny_scd_config, eager, tmp_path):
    cfg = make_config(tiny_scd_config, tmp_path)
    cfg.resume, cfg.load_from = True, str(eager / f'iter_{HALF}.pth')
    graph = train(cfg, StandIn).model.train_step
    assert_same(load(tmp_path), load(eager))
    assert graph.replays > 4


class Line(BaseModel):
    """A model of one layer with a part that may be off."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.part = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
        self.norm = torch.nn.BatchNorm1d(3)
        self.loss_strengths, self.loss_factors, self.cuda_graph = {}, {}, True

    def forward(self, inputs, data_samples=None, mode='loss'):
        x = self.norm(inputs['x'])
        self.seen = weakref.ref(x)
        losses = dict(loss_line=self.layer(x).square().mean())
        if self.loss_strengths.get('part', 0):
            losses['loss_part'] = self.loss_factors['part'] * self.part(x).exp().mean()
        return losses


class Steps:
    """Steps of a `Line` by a graph; `kinds` says how each one ran."""

    def __init__(self, recorder=StandIn, **wrapper):
        self.model = Line().train()
        self.wrapper = OptimWrapper(torch.optim.Adam(self.model.parameters(), 0.25), **wrapper)
        self.graph = StepGraph(self.model, recorder)
        self.kinds = ''

    def __call__(self, count=1, size=4):
        for _ in range(count):
            torch.manual_seed(len(self.kinds))
            done = self.graph.replays
            logs = self.graph(dict(inputs=dict(x=torch.rand(size, 3))), self.wrapper)
            self.kinds += 'r' if self.graph.replays > done else 'e'
            assert logs['loss'] == pytest.approx(sum(v for k, v in logs.items() if k != 'loss'))
        return self.kinds


def test_it_begins_with_eager_steps():
    # the second step finds moments, which the first one made
    assert Steps()(7) == 'eeeerrr'


def test_the_model_sees_the_samples_before_a_recording():
    steps, seen = Steps(), []
    forward = steps.model.forward
    steps.model.forward = lambda *args, data_samples=None, **kwargs: (
        seen.append(data_samples) or forward(*args, **kwargs)
    )
    data = dict(inputs=dict(x=torch.rand(4, 3)), data_samples=['a', 'b'])
    for _ in range(6):
        steps.graph(data, steps.wrapper)
    assert seen == [['a', 'b']] * 4 + [None] and steps.graph.replays == 2


@pytest.mark.parametrize(
    'change',
    [
        lambda steps: steps.model.norm.eval(),
        lambda steps: steps.model.layer.weight.requires_grad_(False),
        lambda steps: setattr(steps.model.layer.weight, 'data', torch.ones(1, 3)),
        lambda steps: steps.wrapper.optimizer.state.pop(steps.model.layer.weight),
        lambda steps: steps.model.loss_strengths.update(part=0.5),
        lambda steps: steps.wrapper.optimizer.param_groups[0].update(betas=(0.5, 0.9)),
        lambda steps: steps.wrapper.load_state_dict(copy.deepcopy(steps.wrapper.state_dict())),
    ],
    ids=['mode', 'frozen', 'moved', 'forgotten', 'part', 'betas', 'loaded'],
)
def test_a_change_that_python_sees_is_recorded_anew(change):
    steps = Steps()
    steps.model.loss_strengths['part'] = 0.0
    steps(6)
    change(steps)
    kinds = steps(7)[6:]
    assert kinds.startswith('eee') and kinds.endswith('rrr')


def test_numbers_that_change_reach_the_recorded_step():
    """Learning rate and strength, which Python's numbers in the step would not change."""
    steps = Steps()
    steps.model.loss_strengths['part'] = 0.5
    steps(6)
    group = steps.wrapper.optimizer.param_groups[0]
    group['lr'], before = 0.0, copy.deepcopy(steps.model.part.weight)
    steps()
    assert torch.equal(steps.model.part.weight, before) and group['lr'] == 0
    data = dict(inputs=dict(x=torch.rand(4, 3)))
    values = []
    for strength in (0.5, 0.25):
        steps.model.loss_strengths['part'] = strength
        values.append(steps.graph(data, steps.wrapper)['loss_part'])
    assert values[0] == 2 * values[1] and steps.graph.replays == 5


def test_a_batch_of_another_shape_is_an_eager_step_between():
    steps = Steps()
    steps(5)
    steps(size=2)
    assert steps(2) == 'eeeererr'


def test_diagnostics_are_eager_and_keep_the_recording():
    steps = Steps()

    class Distiller(torch.nn.Module):
        strength, diagnose, teacher, factor = 1.0, False, None, None

    steps.model.distiller = Distiller()
    steps(5)
    for diagnose in (True, False):
        steps.model.distiller.diagnose = diagnose
        steps()
    assert steps.kinds == 'eeeerer' and steps.model.distiller.factor == 1


def test_nothing_holds_the_graph_of_autograd_after_a_step():
    """It would tie gradients to the stream of that step, and break the recording."""
    gc.disable()
    try:
        steps = Steps()
        logs = steps.graph(dict(inputs=dict(x=torch.rand(4, 3))), steps.wrapper)
        assert steps.model.seen() is None and not logs['loss'].requires_grad
    finally:
        gc.enable()


def test_what_cannot_be_recorded_goes_on_eagerly_and_says_so(monkeypatch):
    class Failing(StandIn):
        def record(self, step):
            try:
                raise RuntimeError('operation not permitted when stream is capturing\nmore')
            finally:  # as `torch.cuda.graph` does
                raise RuntimeError('operation failed due to a previous error')

    said = []
    monkeypatch.setattr(step_graph, 'print_log', lambda text, *_: said.append(text))
    steps = Steps(Failing)
    steps.model.loss_strengths['part'] = 0.5
    assert steps(7) == 'eeeeeee' and len(said) == 1
    begin = 'model.cuda_graph: the step cannot be recorded (operation not permitted when stream is '
    assert said[0].startswith(f'{begin}capturing') and said[0].endswith('); steps are eager')


@pytest.mark.parametrize(
    'words, options, optimizer',
    [
        ('accumulate gradients', dict(accumulative_counts=2), torch.optim.Adam),
        ('clip_grad', dict(clip_grad=dict(max_norm=1)), torch.optim.Adam),
        ('take Adam, AdamW or SGD', {}, torch.optim.RMSprop),
        (None, {}, torch.optim.AdamW),
        (None, {}, torch.optim.SGD),
    ],
)
def test_it_says_why_it_cannot(words, options, optimizer):
    model = Line()
    reason = why_eager(model, OptimWrapper(optimizer(model.parameters(), 0.1), **options), 'cpu')
    assert reason is None if words is None else words in reason


def test_it_says_why_it_cannot_on_another_device_or_with_another_wrapper():
    class AmpOptimWrapper(OptimWrapper):
        pass

    model = Line()
    optimizer = torch.optim.Adam(model.parameters())
    assert 'the model is on cpu' in why_eager(model, OptimWrapper(optimizer), 'cuda')
    assert "network_dtype='bfloat16'" in why_eager(model, AmpOptimWrapper(optimizer), 'cpu')
    model.sync = torch.nn.SyncBatchNorm(3)
    assert 'sync_bn=None' in why_eager(model, OptimWrapper(optimizer), 'cpu')


def test_only_true_switches_it_on(monkeypatch):
    said = []
    monkeypatch.setattr(step_graph, 'print_log', lambda text, *_: said.append(text))
    for choice, kept in (('auto', True), (False, True), (True, False)):
        model = Line()
        model.cuda_graph = choice
        use_step_graph(model)
        assert ('train_step' not in vars(model)) == kept
    copied = copy.deepcopy(model)
    assert copied.train_step.model is copied
    # on a CPU: one sentence, and steps as ever
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters()))
    for _ in range(2):
        model.train_step(dict(inputs=dict(x=torch.rand(4, 3)), data_samples=None), wrapper)
    assert said == ['model.cuda_graph: the model is on cpu, which has none; steps are eager']


def test_processes_that_exchange_gradients_stay_eager(monkeypatch):
    from mmengine.registry import MODEL_WRAPPERS

    @MODEL_WRAPPERS.register_module(name='WrapperOfLine', force=True)
    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    said = []
    monkeypatch.setattr(step_graph, 'print_log', lambda text, *_: said.append(text))
    use_step_graph(Wrapper(Line()))
    assert len(said) == 1 and 'between processes' in said[0]


def test_an_unknown_choice_is_refused(tiny_config):
    from mmscd.registry import MODELS

    cfg = load_config(str(tiny_config))
    with pytest.raises(ValueError, match="cuda_graph must be 'auto', True or False, got 'yes'"):
        MODELS.build(dict(cfg.model, cuda_graph='yes'))


def test_the_stand_in_refuses_what_a_graph_does():
    x = torch.rand(4)
    for step in (
        lambda: x.sum().item(),
        lambda: x[x > 0.5],
        lambda: x * torch.tensor([1.0, 2, 3, 4]),
        lambda: torch.linalg.inv(torch.eye(2)),
        lambda: bool(x.sum() > 0),
    ):
        with pytest.raises(stand_in.RefusedError):
            StandIn().record(step)


def test_a_step_copies_nothing_from_the_host(tiny_scd_config):
    """Of the full method, on a device that is only pretended: shapes without values."""
    command = [sys.executable, HERE / 'pretended_device.py', tiny_scd_config]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == 'refused: {}', done.stdout

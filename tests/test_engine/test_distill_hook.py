"""The distillation hook: schedule, life of the teacher, and a real run with resume."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from mmscd.engine import IsomorphicGraphDistillHook, ScheduleHook
from mmscd.models import IsomorphicGraphDistiller
from mmscd.registry import HOOKS, TEACHERS

TAP = dict(module='net', channels=4, stride=16)


@TEACHERS.register_module()
class StridedTeacher(nn.Module):
    """One convolution; `probe` as the real ones have it."""

    def __init__(self, taps, channels=4, seed=0):
        super().__init__()
        self.taps = taps
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = nn.Conv2d(3, channels, 16, 16).requires_grad_(False)
        self.probed = None

    def probe(self, height, width):
        self.probed = (height, width)
        found = self(torch.zeros(1, 3, height, width))['feats'][0].shape[1]
        if found != self.taps[0]['channels']:
            raise ValueError(f'tap net declares {self.taps[0]["channels"]} channels, found {found}')

    @torch.no_grad()
    def forward(self, images):
        return dict(feats=[self.net(images)], logits=None)


class Model(nn.Module):
    def __init__(self, **teacher):
        super().__init__()
        student = [dict(module='layer', channels=8, stride=16)]
        losses = dict(edge=dict(type='EdgeKLLoss'), anchor=dict(type='AnchorLoss'))
        config = dict(type='StridedTeacher', taps=[TAP], **teacher)
        self.layer = nn.Conv2d(3, 8, 16, 16)
        self.distiller = IsomorphicGraphDistiller(student, config, losses, dim=4)


@pytest.fixture
def runner():
    texts = []
    logger = SimpleNamespace(info=texts.append)
    wrapper = SimpleNamespace(optimizer=SimpleNamespace(state={}))
    return SimpleNamespace(
        iter=0, model=Model(), optim_wrapper=wrapper, logger=logger, texts=texts, hooks=[]
    )


class Hooks:
    """The two hooks of a run in their order."""

    def __init__(self, runner, interval=50, probe_size=(192, 640), **schedule):
        self.schedule = ScheduleHook(dict(graph=schedule))
        self.distill = HOOKS.build(
            dict(type='IsomorphicGraphDistillHook', interval=interval, probe_size=probe_size)
        )
        runner.hooks = [self.schedule, self.distill]

    def __getattr__(self, name):
        def call(*args):
            for hook in (self.schedule, self.distill):
                getattr(hook, name)(*args)

        return call


def test_wrong_interval():
    with pytest.raises(ValueError, match='interval must be at least 1 iteration, got 0'):
        IsomorphicGraphDistillHook(interval=0)


def test_life_of_the_teacher(runner):
    hook = Hooks(runner, begin=1, ramp=2, end=4, interval=2, probe_size=(64, 96))
    distiller = runner.model.distiller
    keys = set(runner.model.state_dict())
    hook.before_train(runner)
    teacher = distiller.teacher
    assert teacher.probed == (64, 96)
    assert set(runner.model.state_dict()) == keys
    assert 'teacher StridedTeacher' in runner.texts[0] and 'until 4, ramp 2' in runner.texts[0]
    seen = []
    for runner.iter in range(4):
        hook.before_train_iter(runner, runner.iter)
        seen.append((distiller.strength, distiller.diagnose, distiller.teacher is teacher))
    assert seen == [(0, False, True), (0.5, True, True), (1, False, True), (1, True, True)]
    for runner.iter in (4, 5):
        hook.before_train_iter(runner, runner.iter)
        assert distiller.strength == 0 and distiller.teacher is None
    assert len(runner.texts) == 2 and 'ended at iteration 4' in runner.texts[1]
    hook.after_train(runner)


def test_the_first_step_of_the_graph_is_no_larger_than_later_ones(runner):
    """After zero gradients Adam knows small moments and many steps, which it divides by."""
    hook = Hooks(runner, begin=40)
    parameters = list(runner.model.distiller.parameters())
    optimizer = torch.optim.Adam(runner.model.parameters(), lr=1e-3)
    runner.optim_wrapper.optimizer = optimizer
    hook.before_train(runner)
    for runner.iter in range(44):
        hook.before_train_iter(runner, runner.iter)
        before = [p.detach().clone() for p in parameters]
        for parameter in runner.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        if runner.iter >= 40:
            for parameter in parameters:
                parameter.grad.fill_(0.3)
        optimizer.step()
        step = max(
            float((p.detach() - b).abs().max()) for p, b in zip(parameters, before, strict=True)
        )
        # Adam's step for a constant gradient is the learning rate
        assert step == pytest.approx(0 if runner.iter < 40 else 1e-3, rel=1e-3)
    assert optimizer.state[runner.model.layer.weight]['step'] == 44


def test_resumed_after_the_end_there_is_no_teacher(runner):
    runner.iter = 7
    hook = Hooks(runner, end=5)
    hook.before_train(runner)
    hook.before_train_iter(runner, 7)
    assert runner.model.distiller.teacher is None and runner.model.distiller.strength == 0


def test_wrapped_models_and_detaching(runner):
    @MODEL_WRAPPERS.register_module(force=True)
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    distiller = runner.model.distiller
    runner.model = Wrapper(runner.model)
    hook = Hooks(runner)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    assert distiller.strength == 1 and distiller.teacher is not None
    hook.after_train(runner)
    assert distiller.teacher is None


def test_mistakes_are_named(runner):
    hook = IsomorphicGraphDistillHook()
    runner.model = Model(channels=5)
    with pytest.raises(ValueError, match='declares 4 channels, found 5'):
        hook.before_train(runner)
    runner.model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match='Linear has no distiller .* `model.distiller = dict'):
        hook.before_train(runner)


LEAF = """
_base_ = ['{config}']
custom_imports = dict(imports=['strided_teacher'], allow_failed_imports=False)
model = dict(
    distiller=dict(
        type='IsomorphicGraphDistiller',
        student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
        teacher=dict(type='StridedTeacher', taps=[dict(module='net', channels=4, stride=16)]),
        dim=8,
        losses=dict(
            edge=dict(type='EdgeKLLoss'),
            node=dict(type='NodeCosineLoss'),
            anchor=dict(type='AnchorLoss'),
        ),
    )
)
optim_wrapper = dict(
    accumulative_counts=2, paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10.0)))
)
default_hooks = dict(
    schedule=dict(type='ScheduleHook', begin=1, ramp=4),
    distill=dict(type='IsomorphicGraphDistillHook', interval=2),
)
custom_hooks = [dict(type='EMAHook', momentum=0.1)]
"""
MODULE = """
import torch
from torch import nn
from mmscd.registry import TEACHERS

"""


@pytest.fixture(scope='module')
def leaf(tiny_config, tmp_path_factory):
    """A config with distillation, EMA and gradient accumulation, and the teacher's module."""
    import inspect

    folder = tmp_path_factory.mktemp('distill')
    (folder / 'strided_teacher.py').write_text(MODULE + inspect.getsource(StridedTeacher))
    (folder / 'leaf.py').write_text(LEAF.format(config=tiny_config))
    return folder / 'leaf.py'


def options(leaf, work_dir, *more):
    changes = ('train_cfg.max_iters=6', 'default_hooks.checkpoint.interval=4', *more)
    return (leaf, '--work-dir', work_dir, '--no-validate', '--cfg-options', *changes)


def environment(leaf):
    return dict(PYTHONPATH=str(leaf.parent), OMP_NUM_THREADS='1')


def load(path):
    return torch.load(path, map_location='cpu', weights_only=True)


@pytest.mark.slow
def test_runs_with_ema_and_accumulation_and_resumes_exactly(leaf, run_tool, tmp_path):
    env = environment(leaf)
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    run_tool('tools/train.py', *options(leaf, whole), env=env)
    # as after a kill; mmengine saves no half-accumulated gradients, so 4 is a multiple of 2
    parts.mkdir()
    shutil.copy(whole / 'iter_4.pth', parts)
    command = options(leaf, parts)
    run_tool('tools/train.py', *command[:3], '--resume', *command[3:], env=env)
    one, other = load(whole / 'iter_6.pth'), load(parts / 'iter_6.pth')
    scalars = one['message_hub']['log_scalars']
    edge = scalars['train/loss_distill_edge']['log_history']
    assert len(edge) == 6 and edge[0] == 0 and min(edge[1:]) > 0
    assert len(scalars['train/graph_entropy']['log_history']) == 3
    assert not [k for k in one['state_dict'] if 'teacher' in k and 'teacher_in' not in k]
    assert any(k.startswith('module.distiller') for k in one['ema_state_dict'])
    for name in ('train/loss', 'train/loss_distill_anchor'):
        history = [c['message_hub']['log_scalars'][name]['log_history'] for c in (one, other)]
        assert history[0] == history[1]
    for name in ('state_dict', 'ema_state_dict'):
        for key, value in one[name].items():
            assert torch.equal(value, other[name][key]), key
    start = load(whole / 'iter_4.pth')['state_dict']
    key = 'distiller.graphs.0.projections.query.weight'
    assert not torch.equal(start[key], one['state_dict'][key])


@pytest.mark.slow
def test_two_processes_need_no_find_unused_parameters(leaf, run_tool, tmp_path):
    """The schedule passes from off to on under DDP; both sizes of run agree."""
    more = ('default_hooks.checkpoint.interval=6', 'model.backbone.norm_eval=True')
    more += ('model.pose_net.encoder.norm_eval=True', 'optim_wrapper.optimizer.eps=1e-6')
    run_tool(
        'bash', 'tools/dist_train.sh', leaf, 2, *options(leaf, tmp_path / 'two', *more)[1:],
        env=environment(leaf),
    )  # fmt: skip
    more += ('train_dataloader.batch_size=4',)
    run_tool('tools/train.py', *options(leaf, tmp_path / 'one', *more), env=environment(leaf))
    one, two = (load(tmp_path / name / 'iter_6.pth')['state_dict'] for name in ('one', 'two'))
    for key, value in one.items():
        assert torch.allclose(value.double(), two[key].double(), atol=5e-5), key

"""When which part counts: strengths, and what is refused before training."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmscd.engine import ScheduleHook
from mmscd.engine.hooks.schedule_hook import Schedule, schedule_of
from mmscd.models.outputs import StepOutputs
from mmscd.registry import HOOKS


class Distiller(nn.Module):
    makes = ('teacher',)

    def __init__(self, *needs):
        super().__init__()
        self.needs, self.strength = needs, 1.0

    def set_strength(self, strength):
        self.strength = strength


class Texture(nn.Identity):
    makes = ('perturbed',)


def make_runner(distiller=None, **losses):
    model = nn.Module()
    model.losses = nn.ModuleDict({k: v for k, v in losses.items() if v is not None})
    model.loss_names, model.loss_strengths, model.distiller = tuple(losses), {}, distiller
    wrapper = SimpleNamespace(optimizer=SimpleNamespace(state={}))
    return SimpleNamespace(iter=0, model=model, hooks=[], optim_wrapper=wrapper)


def test_strength_is_a_function_of_the_iteration():
    schedule = Schedule(begin=4, ramp=4, end=10)
    strengths = [schedule.strength(i) for i in range(12)]
    assert strengths == [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 0, 0]
    assert Schedule().strength(0) == 1
    for wrong in (dict(begin=-1), dict(begin=5, end=5), dict(ramp=-1)):
        with pytest.raises(ValueError, match='expected 0 <= begin < end'):
            ScheduleHook(**wrong)
        with pytest.raises(ValueError, match='expected 0 <= begin < end'):
            ScheduleHook(dict(graph=wrong))


def test_parts_share_one_schedule_and_may_differ():
    runner = make_runner(Distiller(), texture=nn.Identity(), structure=nn.Identity(), x=None)
    hook = HOOKS.build(
        dict(
            type='mmscd.ScheduleHook',
            begin=2,
            ramp=2,
            parts=dict(graph={}, texture=dict(begin=1, ramp=0), structure=dict(end=3), x={}),
        )
    )
    hook.before_train(runner)
    seen = []
    for runner.iter in range(5):
        hook.before_train_iter(runner, runner.iter)
        strengths = runner.model.loss_strengths
        seen.append((runner.model.distiller.strength, strengths['texture'], strengths['structure']))
    assert seen == [(0, 0, 0), (0, 1, 0), (0.5, 1, 0.5), (1, 1, 0), (1, 1, 0)]
    runner.hooks = [hook]
    assert schedule_of(runner, 'graph') == Schedule(2, 2)
    assert schedule_of(runner, 'photometric') == Schedule()


def test_without_names_it_takes_what_the_model_has():
    runner = make_runner(None, texture=nn.Identity(), photometric=nn.Identity())
    hook = ScheduleHook(begin=3)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    assert runner.model.loss_strengths['texture'] == 0
    assert 'photometric' not in runner.model.loss_strengths


def test_a_misspelt_name_is_refused_before_training():
    runner = make_runner(Distiller(), texture=nn.Identity(), structure=None)
    ScheduleHook(dict(graph={}, texture={}, structure={})).before_train(runner)
    with pytest.raises(ValueError, match="names 'textur', .* did you mean 'texture'"):
        ScheduleHook(dict(textur=dict(begin=5))).before_train(runner)
    with pytest.raises(ValueError, match="'qq', .* 'graph' or 'structure' or 'texture'"):
        ScheduleHook(dict(qq={})).before_train(runner)
    # a part that the config has no longer, though it is the hook's default
    ScheduleHook().before_train(make_runner(None, photometric=nn.Identity()))


@pytest.mark.parametrize(
    'parts, message',
    [
        (dict(texture=dict(begin=8)), "'graph' .begin=5, .* needs 'perturbed', which 'texture'"),
        (dict(texture=dict(end=9)), "'texture' makes from begin=5 to end=9"),
        (dict(texture=dict(begin=2)), None),
        (dict(graph=dict(end=9), texture=dict(end=9)), None),
        (dict(texture=dict(ramp=100)), None),
    ],
)
def test_parts_that_need_each_other_in_the_wrong_order_are_refused(parts, message):
    runner = make_runner(Distiller('perturbed'), texture=Texture())
    hook = ScheduleHook(dict(dict(graph={}, texture={}), **parts), begin=5)
    if message is None:
        hook.before_train(runner)
    else:
        with pytest.raises(ValueError, match=message):
            hook.before_train(runner)


def test_a_loss_that_reads_the_teacher_does_not_begin_before_it():
    loss = nn.Identity()
    loss.needs = ('teacher',)
    runner = make_runner(Distiller(), mine=loss)
    with pytest.raises(ValueError, match=r"'mine' \(begin=0, .* needs 'teacher', which 'graph'"):
        ScheduleHook(dict(graph={}), begin=5).before_train(runner)
    ScheduleHook(dict(graph={}, mine={}), begin=5).before_train(runner)


def test_estimator_scales_losses_and_leaves_out_those_of_strength_zero():
    from mmscd.models.estimators import SelfSupervisedDepthEstimator

    class Counted(nn.Module):
        calls = 0

        def forward(self, outputs):
            self.calls += 1
            return outputs.disps[0].sum()

    loss = Counted()
    model = SimpleNamespace(losses=dict(x=loss), loss_strengths={}, loss_factors={})
    outputs = StepOutputs(target=torch.ones(2, 3, 2, 2), disps=[torch.ones(2, 1, 2, 2)])
    weighted = SelfSupervisedDepthEstimator._weighted
    assert weighted(model, 'x', outputs) == 8
    model.loss_strengths['x'] = 0.25
    assert weighted(model, 'x', outputs) == 2
    model.loss_factors['x'] = torch.tensor(0.5)
    assert weighted(model, 'x', outputs) == 4
    model.loss_strengths['x'] = 0.0
    assert weighted(model, 'x', outputs) == 0
    assert loss.calls == 3

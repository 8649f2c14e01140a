"""Losses that begin late."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmscd.engine.hooks import LossScheduleHook


def test_strengths_follow_the_iteration():
    model = nn.Linear(1, 1)
    model.loss_strengths = {}
    hook = LossScheduleHook(dict(late=dict(begin=2, ramp=2), short=dict(end=3), plain={}))
    seen = []
    for iteration in range(5):
        hook.before_train_iter(SimpleNamespace(iter=iteration, model=model), iteration)
        seen.append(tuple(model.loss_strengths[k] for k in ('late', 'short', 'plain')))
    assert seen == [(0, 1, 1), (0, 1, 1), (0.5, 1, 1), (1, 0, 1), (1, 0, 1)]
    with pytest.raises(ValueError, match='expected 0 <= begin < end .* got begin=3, end=3'):
        LossScheduleHook(dict(x=dict(begin=3, end=3)))


def test_estimator_scales_losses_and_leaves_out_those_of_strength_zero():
    from mmscd.models.estimators import SelfSupervisedDepthEstimator

    class Counted(nn.Module):
        calls = 0

        def forward(self, outputs):
            self.calls += 1
            return outputs['disps'][0].sum()

    loss = Counted()
    model = SimpleNamespace(losses=dict(x=loss), loss_strengths={})
    outputs = dict(disps=[torch.ones(2, 1, 2, 2)])
    weighted = SelfSupervisedDepthEstimator._weighted
    assert weighted(model, 'x', outputs) == 8
    model.loss_strengths['x'] = 0.25
    assert weighted(model, 'x', outputs) == 2
    model.loss_strengths['x'] = 0.0
    assert weighted(model, 'x', outputs) == 0
    assert loss.calls == 2

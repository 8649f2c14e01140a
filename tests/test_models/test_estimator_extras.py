"""What the estimator offers to further losses: extra passes, pixel weights, None entries."""

import pytest
import torch
from torch import nn

from mmscd.models import SelfSupervisedDepthEstimator
from mmscd.models.statistics import frozen_statistics
from mmscd.registry import LOSSES, MODELS
from mmscd.utils.keyed_random import make_key


@LOSSES.register_module()
class PerturbedPassLoss(nn.Module):
    """Runs the depth net once more and keeps what it was given."""

    def forward(self, outputs):
        self.outputs = outputs
        disps = outputs['estimate_disps'](outputs['target'], 'perturbed')
        return disps[0].mean()


@MODELS.register_module()
class LeftHalf(nn.Module):
    """Only the left half counts."""

    def forward(self, outputs):
        weight = torch.ones_like(outputs['disps'][0])
        weight[..., weight.shape[-1] // 2 :] = 0
        return weight


def build(**kwargs):
    torch.manual_seed(0)
    encoder = dict(type='ResNetEncoder', depth=18)
    config = dict(
        backbone=encoder,
        disp_head=dict(type='DispHead', channels=(4, 4, 8, 8, 16)),
        pose_net=dict(type='PoseNet', encoder=dict(encoder, in_channels=6), channels=16),
        losses=dict(photometric=dict(type='PhotometricLoss'), extra=dict(type='PerturbedPassLoss')),
        data_preprocessor=dict(type='DepthDataPreprocessor', jitter_prob=0.0),
    )
    return SelfSupervisedDepthEstimator(**{**config, **kwargs})


@pytest.fixture
def inputs():
    g = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 3, 3, 64, 96), dtype=torch.uint8, generator=g)
    K = torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]]).repeat(2, 1, 1)
    return dict(frames=frames, K=K, draw_key=torch.tensor([make_key(0, 0), make_key(0, 1)]))


def step(model, inputs):
    data = model.data_preprocessor(dict(inputs=dict(inputs)), True)
    return model(**data, mode='loss')


def test_extra_pass_equals_the_clean_pass_and_leaves_no_statistics(inputs):
    plain, extra = build(losses=dict(photometric=dict(type='PhotometricLoss'))), build()
    extra.load_state_dict(plain.state_dict())
    step(plain.train(), inputs)
    losses = step(extra.train(), inputs)
    # without jitter the clean target is the network's input: same disparities in training mode
    seen = extra.losses['extra'].outputs['disps'][0].mean()
    torch.testing.assert_close(losses['loss_extra'], seen, rtol=1e-6, atol=1e-7)
    for (name, a), b in zip(plain.named_buffers(), extra.buffers(), strict=True):
        assert torch.equal(a, b), name


def test_frozen_statistics_are_released_after_an_error():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(ZeroDivisionError), frozen_statistics(net):
        assert not net[0].track_running_stats
        1 / 0  # noqa: B018
    assert net[0].track_running_stats and not net[1].track_running_stats


def test_frozen_statistics_keep_evaluation_mode(inputs):
    net = nn.BatchNorm2d(3).eval()
    x = torch.rand(2, 3, 4, 4) + 5
    with frozen_statistics(net):
        torch.testing.assert_close(net(x), x, rtol=1e-4, atol=1e-4)


def test_pixel_weights_come_before_losses(inputs):
    model = build(pixel_weights=dict(left=dict(type='LeftHalf')))
    step(model.train(), inputs)
    weight = model.losses['extra'].outputs['pixel_weights']['left']
    assert weight.shape == (2, 1, 64, 96) and weight.mean() == 0.5


def test_none_drops_a_term(inputs):
    losses = dict(photometric=dict(type='PhotometricLoss'), extra=None)
    model = build(losses=losses, pixel_weights=dict(left=None))
    assert list(model.losses) == ['photometric'] and not model.pixel_weights


def test_weights_from_a_teacher_need_one():
    with pytest.raises(ValueError, match='pixel_weights.moving.*needs a teacher'):
        build(pixel_weights=dict(moving=dict(type='MovingObjectWeight')))


def test_checkpoints_with_a_distiller_load_without_one(inputs):
    model = build()
    state = dict(model.state_dict(), **{'distiller.graph.weight': torch.zeros(3)})
    result = model.load_state_dict(state)
    assert not result.unexpected_keys and not result.missing_keys

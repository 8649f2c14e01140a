"""What the estimator offers to further losses: extra passes, pixel weights, None entries."""

import pytest
import torch
from torch import nn

from mmscd.models import SelfSupervisedDepthEstimator
from mmscd.models.loading import load_weights
from mmscd.models.statistics import running_statistics
from mmscd.registry import LOSSES, MODELS
from mmscd.utils.keyed_random import make_key


@LOSSES.register_module()
class PerturbedPassLoss(nn.Module):
    """Runs the depth net once more and keeps what it was given."""

    def forward(self, outputs):
        self.outputs = outputs
        disps = outputs.rerun(outputs.target, 'perturbed')
        return disps[0].mean()


@MODELS.register_module()
class LeftHalf(nn.Module):
    """Only the left half counts."""

    def forward(self, outputs):
        weight = torch.ones_like(outputs.disps[0])
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


def test_extra_pass_works_as_at_inference_and_leaves_no_statistics(inputs):
    plain, extra = build(losses=dict(photometric=dict(type='PhotometricLoss'))), build()
    extra.load_state_dict(plain.state_dict())
    step(plain.train(), inputs)
    losses = step(extra.train(), inputs)
    for (name, a), b in zip(plain.named_buffers(), extra.buffers(), strict=True):
        assert torch.equal(a, b), name
    assert all(module.training for module in extra.modules())
    # without jitter the clean target is the network's input
    target = extra.losses['extra'].outputs.target
    seen = extra.eval().estimate_disps(extra.data_preprocessor.normalise(target))[0][0]
    torch.testing.assert_close(losses['loss_extra'], seen.mean(), rtol=1e-6, atol=1e-7)


def test_running_statistics_pass_on_gradients():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    net(torch.rand(2, 3, 4, 4))
    with running_statistics(net):
        net(torch.rand(2, 3, 4, 4)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())


def test_running_statistics_end_after_an_error():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3).eval())
    with pytest.raises(ZeroDivisionError), running_statistics(net):
        assert not net[0].training
        1 / 0  # noqa: B018
    assert net[0].training and not net[1].training


def test_autocast_of_the_caller_reaches_all_networks_and_no_geometry(inputs):
    """As under AmpOptimWrapper: what it opens holds for every pass, poses stay in float32."""
    model, dtypes, poses = build().train(), [], []
    convolution = model.disp_head.fuse['0']
    convolution.register_forward_hook(lambda module, args, out: dtypes.append(out.dtype))
    model.pose_net.register_forward_hook(lambda module, args, out: poses.append(out))
    with torch.autocast('cpu', torch.bfloat16):
        step(model, inputs)
    assert dtypes == [torch.bfloat16] * 2
    T = model.losses['extra'].outputs.T_source_target
    translation = poses[0][1]
    assert torch.equal(T[:, 1, :3, 3], translation[2:])
    # the pose of the earlier frame is inverted: R^T t is a product that bfloat16 would round
    back = T[:, 0].double()
    own = back[:, :3, :3] @ translation[:2, :, None].double() + back[:, :3, 3:]
    assert own.abs().max() < 1e-6 * translation.abs().max()


def test_pixel_weights_come_before_losses(inputs):
    model = build(pixel_weights=dict(left=dict(type='LeftHalf')))
    step(model.train(), inputs)
    weight = model.losses['extra'].outputs.pixel_weights['left']
    assert weight.shape == (2, 1, 64, 96) and weight.mean() == 0.5


def test_none_drops_a_term(inputs):
    losses = dict(photometric=dict(type='PhotometricLoss'), extra=None)
    model = build(losses=losses, pixel_weights=dict(left=None))
    assert list(model.losses) == ['photometric'] and not model.pixel_weights


def test_weights_from_a_teacher_need_one():
    with pytest.raises(ValueError, match="pixel_weights.moving .*needs 'teacher', .* a distiller"):
        build(pixel_weights=dict(moving=dict(type='MovingObjectWeight')))


def test_checkpoints_with_a_distiller_load_without_one(inputs):
    model = build()
    state = dict(model.state_dict(), **{'distiller.graph.weight': torch.zeros(3)})
    for need in ('depth', 'depth+pose', 'training'):
        other = build()
        load_weights(other, dict(state_dict=state), need)
        for key, value in other.backbone.state_dict().items():
            assert torch.equal(value, state[f'backbone.{key}'])

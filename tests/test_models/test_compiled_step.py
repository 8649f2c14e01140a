"""Parts of a training step compiled whole (`fullgraph=True`) equal the plain ones: values,
gradients, names of weights, what hooks and copies see."""

import functools
import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmscd.models import DepthDataPreprocessor, SelfSupervisedDepthEstimator
from mmscd.models.losses import PhotometricLoss, SmoothnessLoss, StructureConsistencyLoss
from mmscd.models.outputs import StepOutputs
from mmscd.models.texture import RetinexTexturePerturbation
from mmscd.utils import compiling
from mmscd.utils.keyed_random import make_key

H, W = 64, 96


class SmallTeacher(nn.Module):
    """One map, always in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 16, 16).requires_grad_(False)

    @torch.no_grad()
    def forward(self, images):
        map_ = self.conv(images)
        return dict(feats=[map_], logits=map_[:, :5])


@pytest.fixture
def traced(monkeypatch):
    """`aot_eager` traces and differentiates like `inductor` and takes no compiler."""
    monkeypatch.setattr(compiling, 'BACKEND', 'aot_eager')
    compiling._whole.cache_clear()
    torch._dynamo.reset()
    yield
    compiling._whole.cache_clear()


def build(compile=False, perturbation=None):
    torch.manual_seed(0)
    encoder = dict(type='ResNetEncoder', depth=18)
    tap = dict(module='backbone', index=3, channels=256, stride=16)
    types = dict(edge='EdgeKLLoss', node='NodeCosineLoss', anchor='AnchorLoss')
    texture = dict(type='RetinexTexturePerturbation', **(perturbation or {}))
    model = SelfSupervisedDepthEstimator(
        backbone=encoder,
        disp_head=dict(type='DispHead', channels=(4, 4, 8, 8, 16)),
        pose_net=dict(type='PoseNet', encoder=dict(encoder, in_channels=6), channels=16),
        losses=dict(
            photometric=dict(type='PhotometricLoss'),
            smoothness=dict(type='SmoothnessLoss'),
            structure=dict(type='StructureConsistencyLoss'),
            texture=dict(type='TextureDisambiguationLoss', perturbation=texture),
        ),
        distiller=dict(
            type='IsomorphicGraphDistiller',
            student_taps=[tap],
            teacher=dict(type='SmallTeacher', taps=[dict(module='', channels=12)]),
            losses={name: dict(type=type_) for name, type_ in types.items()},
            dim=8,
        ),
        kernels='torch',
        compile=compile,
    )
    model.distiller.attach_teacher(SmallTeacher())
    return model.train()


def make_data(batch=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch * 3, 3, 8, 12, generator=g) * 255
    frames = F.interpolate(coarse, (H, W), mode='bilinear').to(torch.uint8)
    inputs = dict(
        frames=frames.reshape(batch, 3, 3, H, W),
        K=torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]]).repeat(batch, 1, 1),
        draw_key=torch.tensor([make_key(seed, position) for position in range(batch)]),
    )
    return dict(inputs=inputs, data_samples=None)


def step(model, seed=0):
    """Losses and notes, and gradients by name."""
    model.zero_grad()
    losses = model(**model.data_preprocessor(make_data(seed=seed), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    return {name: value.detach() for name, value in losses.items()}, gradients


def assert_equal_steps(model, plain, tolerance=2e-3):
    for seed in (0, 1):
        losses, gradients = step(model, seed)
        expected, expected_gradients = step(plain, seed)
        assert list(losses) == list(expected)
        for name, value in expected.items():
            # pixels where errors tie up to rounding may fall on either side
            limit = 2e-3 if name.endswith('share') else 1e-6
            assert losses[name] == pytest.approx(value.item(), rel=1e-4, abs=limit), name
        for name, value in expected_gradients.items():
            limit = tolerance * value.norm() + 1e-6
            assert (gradients[name] - value).norm() <= limit, name
    for name, value in plain.state_dict().items():
        assert torch.allclose(model.state_dict()[name].double(), value.double(), atol=1e-5), name


@pytest.mark.slow
@pytest.mark.usefixtures('traced')
def test_a_step_of_compiled_parts_equals_a_plain_one():
    model, plain = build(compile=True), build()
    assert list(model.state_dict()) == list(plain.state_dict())
    assert_equal_steps(model, plain)
    # one graph a part and pass: the second step has compiled nothing anew
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] <= 18


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler')
def test_networks_by_the_compiler_that_trainings_use():
    torch._dynamo.reset()
    assert_equal_steps(build(compile=['preprocessor', 'networks']), build(), 1e-2)


@pytest.mark.usefixtures('traced')
def test_the_preprocessor_compiles_whole_and_draws_the_same():
    for per_image in (False, True):
        made = []
        for compiled in (True, False):
            preprocessor = DepthDataPreprocessor(per_image=per_image)
            preprocessor.compiled = compiled
            data = make_data()
            data['inputs']['T_stereo'] = torch.rand(
                2, 4, 4, generator=torch.Generator().manual_seed(0)
            )
            made.append(preprocessor(data, True)['inputs'])
        assert list(made[0]) == list(made[1])
        assert all(torch.equal(made[0][name], value) for name, value in made[1].items())


@pytest.mark.usefixtures('traced')
def test_the_perturbation_compiles_whole():
    inputs = make_data()['inputs']
    image, key = inputs['frames'][:, 0] / 255, inputs['draw_key']
    perturbation = RetinexTexturePerturbation()
    found = compiling.run(True, perturbation, image, key)
    for value, expected in zip(found, perturbation(image, key), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def make_outputs(compiled=()):
    g = torch.Generator().manual_seed(0)
    random = functools.partial(torch.rand, generator=g, dtype=torch.float64)
    frames = F.avg_pool2d(random(6, 3, H, W), 5, 1, 2).reshape(2, 3, 3, H, W)
    K = torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]], dtype=torch.float64)
    T = torch.eye(4, dtype=torch.float64).repeat(2, 2, 1, 1)
    T[..., :3, 3] = 0.2 * random(2, 2, 3) - 0.1
    return StepOutputs(
        target=frames[:, 0], sources=frames[:, 1:], K=K.repeat(2, 1, 1),
        inv_K=torch.linalg.inv(K).repeat(2, 1, 1), T_source_target=T.requires_grad_(),
        disps=[random(2, 1, H >> k, W >> k).requires_grad_() for k in range(2)],
        draw_key=make_data()['inputs']['draw_key'], kernels='torch', compiled=compiled,
        rerun=lambda image, name: [0.01 + 0.3 * image.mean(1, keepdim=True)],
    )  # fmt: skip


@pytest.mark.usefixtures('traced')
@pytest.mark.parametrize('kind', [PhotometricLoss, SmoothnessLoss, StructureConsistencyLoss])
def test_losses_compile_whole(kind):
    """The definition of the photometric error is compiled, our own backward pass is not."""
    found = []
    for compiled in (('losses',), ()):
        outputs = make_outputs(compiled)
        value = kind()(outputs)
        leaves = [outputs.T_source_target, *outputs.disps]
        gradients = torch.autograd.grad(value, leaves, allow_unused=True)
        found.append([value, *outputs.notes.values(), *gradients])
    for value, expected in zip(*found, strict=True):
        if expected is not None:
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures('traced')
def test_a_depth_that_is_not_finite_is_seen_and_ends_no_process():
    outputs = make_outputs(('losses',))
    outputs.disps[0].data[0, 0, 3, 4] = torch.nan
    value = PhotometricLoss(auto_mask=False)(outputs)
    value.backward()
    assert value.isnan()

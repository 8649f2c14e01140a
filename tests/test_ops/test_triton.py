"""The Triton kernels against the plain forms, in float64: on CUDA, else by Triton's interpreter."""

import pytest
import torch

from mmscd.engine import benchmark_loss
from mmscd.engine.step_parts import count_operations
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.ops import kernels, reprojection_error, synthesise_views

pytest.importorskip('triton', reason='Triton is not installed')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
# samples, sources, channels, maps, height, width: odd, one source, less than a window, two blocks
SHAPES = [(1, 2, 3, 2, 13, 23), (1, 1, 1, 1, 2, 2), (2, 3, 1, 1, 5, 3)]


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def scene(shape, backwards=1.0):
    """Arguments of `synthesise_views`: a motion that moves some points out of the picture and, by
    `backwards` metres, some behind the camera."""
    batch, count, channels, maps, height, width = shape
    sources = random(batch, count, channels, height, width)
    depth = random(batch, maps, height, width, seed=1) * 5 + 0.2
    T = torch.eye(4, dtype=torch.float64).repeat(batch, count, 1, 1)
    T[..., :3, :] += 0.2 * (random(batch, count, 3, 4, seed=2) - 0.5)
    T[..., 2, 3] -= backwards
    K = torch.tensor(
        [[width * 0.6, 0, width / 2 - 0.5], [0, height * 0.9, height / 2 - 0.5], [0, 0, 1]]
    )
    K = K.double().repeat(batch, 1, 1)
    return sources, depth, T, K, torch.linalg.inv(K)


def difference(found, expected):
    """Largest, relative to the largest value that is expected."""
    largest = expected.abs().max().clamp(min=1e-12)
    return ((found.double().cpu() - expected).abs().max() / largest).item()


def run(arguments, weight, form, dtype=torch.float64):
    sources, depth, T, K, inv_K = (a.to(DEVICE, dtype) for a in arguments)
    leaves = depth.requires_grad_(), T.requires_grad_()
    views = synthesise_views(sources, *leaves, K, inv_K, form)
    grads = torch.autograd.grad((views * weight.to(views)).sum(), leaves)
    return views.detach(), *grads


@pytest.mark.parametrize('dtype, limit', [(torch.float64, 1e-11), (torch.float32, 2e-4)])
@pytest.mark.parametrize('shape', SHAPES)
def test_synthesis_in_value_and_gradient(shape, dtype, limit):
    arguments = scene(shape)
    weight = random(*shape, seed=3)
    expected = [x.cpu() for x in run(arguments, weight, 'torch')]
    for found, reference in zip(run(arguments, weight, 'triton', dtype), expected, strict=True):
        assert difference(found, reference) < limit


def test_a_camera_that_does_not_move_gives_the_source():
    sources, depth, _, K, inv_K = scene(SHAPES[0])
    T = torch.eye(4, dtype=torch.float64).repeat(1, 2, 1, 1)
    views = synthesise_views(*(a.to(DEVICE) for a in (sources, depth, T, K, inv_K)), 'triton')
    assert (views.cpu() - sources[:, :, :, None]).abs().max() < 1e-9


def test_nan_stays_visible():
    sources, depth, T, K, inv_K = scene(SHAPES[0])
    depth[0, 0, 3, 4] = torch.nan
    views = synthesise_views(*(a.to(DEVICE) for a in (sources, depth, T, K, inv_K)), 'triton')
    broken = views.isnan().cpu()
    assert broken[0, :, :, 0, 3, 4].all() and broken.sum() == 2 * 3


@pytest.mark.parametrize('auto_mask', [True, False])
@pytest.mark.parametrize('dtype, limit', [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize('shape', SHAPES)
def test_reprojection_in_value_mask_and_gradient(shape, dtype, limit, auto_mask):
    batch, _, channels, maps, height, width = shape
    target = random(batch, channels, height, width, seed=4)
    identity = 0.2 + 0.6 * random(batch, 1, height, width, seed=5)  # beats some views, not all
    weight = random(batch, maps, height, width, seed=6)

    def run_form(form, dtype):
        views = random(*shape, seed=7).to(DEVICE, dtype).requires_grad_()
        still = identity.to(DEVICE, dtype) if auto_mask else None
        error, mask = reprojection_error(views, target.to(DEVICE, dtype), still, 0.85, form)
        grad = torch.autograd.grad((error * weight.to(error)).sum(), views)[0]
        return error.detach().cpu(), mask.cpu(), grad.cpu()

    expected, found = run_form('torch', torch.float64), run_form('triton', dtype)
    assert difference(found[0], expected[0]) < limit and difference(found[2], expected[2]) < limit
    assert torch.equal(found[1], expected[1])


def test_the_whole_loss_at_every_scale():
    shape = (1, 2, 3, 1, 8, 16)
    sources, _, T, K, inv_K = scene(shape, backwards=0.05)
    disps = [random(1, 1, 8 >> k, 16 >> k, seed=8 + k) for k in range(3)]

    def run_form(form, dtype):
        to = dict(device=DEVICE, dtype=dtype)
        leaves = [d.to(**to).requires_grad_() for d in (*disps, T)]
        outputs = StepOutputs(
            target=sources[:, 0].roll(1, -1).to(**to), sources=sources.to(**to), K=K.to(**to),
            inv_K=inv_K.to(**to), T_source_target=leaves[-1], disps=leaves[:-1], kernels=form,
        )  # fmt: skip
        loss = PhotometricLoss()(outputs)
        return [loss.detach(), outputs.notes['auto_mask_share'], *torch.autograd.grad(loss, leaves)]

    expected = [x.cpu() for x in run_form('torch', torch.float64)]
    for dtype, limit in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        for found, reference in zip(run_form('triton', dtype), expected, strict=True):
            assert difference(found, reference.double()) < limit


def test_what_runs_is_chosen_by_a_word(monkeypatch):
    assert not kernels.choose_triton('torch') and kernels.choose_triton('triton')
    with pytest.raises(ValueError, match="must be one of .* got 'cuda'"):
        kernels.choose_triton('cuda')
    monkeypatch.setattr(kernels, 'has_triton', lambda: False)
    with pytest.raises(ValueError, match='needs Triton'):
        kernels.choose_triton('triton')


def test_the_loss_is_a_tenth_of_the_operations():
    """On the `meta` device, where the plain form runs as on a GPU and nothing is computed."""
    sides = benchmark_loss.loss_sides((64, 32), 2, device='meta', dtype=torch.float32)
    counts = {name: count_operations(side).total() for name, side in sides.items()}
    assert 10 * counts['triton'] < counts['eager'] and 3 * counts['triton'] < counts['mmscd']

"""The fused forms against the plain ones, in float64: the C++ kernel, and the Triton kernels, on
CUDA, else by Triton's interpreter."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from mmscd.engine import benchmark_loss
from mmscd.engine.step_parts import count_operations
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.ops import (
    choose_form,
    kernels,
    reprojection_error,
    still_error,
    synthesise_views,
    warped_error,
)

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
DEVICES = dict(cpp='cpu', triton=DEVICE, torch='cpu')
needs_triton = pytest.mark.skipif(not kernels.has_triton(), reason='Triton is not installed')
needs_cpp = pytest.mark.skipif(kernels.why_no_cpp('cpu') is not None, reason='no C++ compiler')
FORMS = [pytest.param('cpp', marks=needs_cpp), pytest.param('triton', marks=needs_triton)]
# samples, sources, channels, maps, height, width: odd, one source, less than a window, two blocks
SHAPES = [(1, 2, 3, 2, 13, 23), (1, 1, 1, 1, 2, 2), (2, 3, 1, 1, 5, 3)]
BANDS = (1, 2, 3, 2, 101, 9)  # the C++ kernel's threads take 48 rows each


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


@needs_triton
@pytest.mark.parametrize('dtype, limit', [(torch.float64, 1e-11), (torch.float32, 2e-4)])
@pytest.mark.parametrize('shape', SHAPES)
def test_synthesis_in_value_and_gradient(shape, dtype, limit):
    arguments = scene(shape)
    weight = random(*shape, seed=3)
    expected = [x.cpu() for x in run(arguments, weight, 'torch')]
    for found, reference in zip(run(arguments, weight, 'triton', dtype), expected, strict=True):
        assert difference(found, reference) < limit


@needs_triton
def test_a_camera_that_does_not_move_gives_the_source():
    sources, depth, _, K, inv_K = scene(SHAPES[0])
    T = torch.eye(4, dtype=torch.float64).repeat(1, 2, 1, 1)
    views = synthesise_views(*(a.to(DEVICE) for a in (sources, depth, T, K, inv_K)), 'triton')
    assert (views.cpu() - sources[:, :, :, None]).abs().max() < 1e-9


@needs_triton
def test_nan_stays_visible():
    sources, depth, T, K, inv_K = scene(SHAPES[0])
    depth[0, 0, 3, 4] = torch.nan
    views = synthesise_views(*(a.to(DEVICE) for a in (sources, depth, T, K, inv_K)), 'triton')
    broken = views.isnan().cpu()
    assert broken[0, :, :, 0, 3, 4].all() and broken.sum() == 2 * 3


@needs_triton
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


@pytest.mark.parametrize('form', FORMS)
def test_the_whole_loss_at_every_scale(form):
    shape = (1, 2, 3, 1, 8, 16)
    sources, _, T, K, inv_K = scene(shape, backwards=0.05)
    disps = [random(1, 1, 8 >> k, 16 >> k, seed=8 + k) for k in range(3)]

    def run_form(form, dtype):
        to = dict(device=DEVICES[form], dtype=dtype)
        leaves = [d.to(**to).requires_grad_() for d in (*disps, T)]
        outputs = StepOutputs(
            target=sources[:, 0].roll(1, -1).to(**to), sources=sources.to(**to), K=K.to(**to),
            inv_K=inv_K.to(**to), T_source_target=leaves[-1], disps=leaves[:-1], kernels=form,
        )  # fmt: skip
        loss = PhotometricLoss()(outputs)
        return [loss.detach(), outputs.notes['auto_mask_share'], *torch.autograd.grad(loss, leaves)]

    expected = [x.cpu() for x in run_form('torch', torch.float64)]
    for dtype, limit in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        for found, reference in zip(run_form(form, dtype), expected, strict=True):
            assert difference(found, reference.double()) < limit


def chain(shape, form, dtype=torch.float64, auto_mask=True):
    """Error, mask and gradients to depth and pose of views that are warped and judged; the target
    is one of the frames of a batch, as in training."""
    batch, _, channels, maps, height, width = shape
    to = dict(device=DEVICES[form], dtype=dtype)
    sources, depth, T, K, inv_K = (a.to(**to) for a in scene(shape))
    target = random(batch, channels, height, width, seed=4).to(**to)
    frames = torch.cat([target[:, None], sources], 1)
    target, sources = frames[:, 0], frames[:, 1:]
    depth.requires_grad_(), T.requires_grad_()
    still = still_error(sources, target, 0.85, form) if auto_mask else None
    camera = T, K, inv_K
    error, mask = warped_error(sources, depth, *camera, target, still, 0.85, form)
    weight = random(batch, maps, height, width, seed=6).to(error)
    grads = torch.autograd.grad((error * weight).sum(), (depth, T))
    return [error.detach(), mask, *grads]


@pytest.mark.parametrize('auto_mask', [True, False])
@pytest.mark.parametrize('dtype, limit', [(torch.float64, 1e-11), (torch.float32, 2e-4)])
@pytest.mark.parametrize('shape', [*SHAPES, BANDS])
@pytest.mark.parametrize('form', FORMS)
def test_warping_and_judging_in_value_mask_and_gradient(form, shape, dtype, limit, auto_mask):
    expected = chain(shape, 'torch', auto_mask=auto_mask)
    found = chain(shape, form, dtype, auto_mask)
    assert torch.equal(found[1].cpu(), expected[1])
    for i in (0, 2, 3):
        assert difference(found[i], expected[i]) < limit


@needs_cpp
def test_gradients_of_the_cpp_kernel_are_slopes_of_its_values():
    shape = (1, 2, 3, 2, 4, 5)
    sources, depth, T, K, inv_K = scene(shape, backwards=0.1)
    target = random(1, 3, 4, 5, seed=4)

    def error(depth, T):
        return warped_error(sources, depth, T, K, inv_K, target, None, 0.85, 'cpp')[0]

    leaves = depth.requires_grad_(), T.requires_grad_()
    assert torch.autograd.gradcheck(error, leaves, eps=1e-7, atol=1e-5, rtol=1e-3)


@needs_cpp
def test_float32_of_the_cpp_kernel_is_as_near_to_float64_as_the_plain_form():
    """On smooth images, where the variance of a window is a small difference of large numbers."""
    images = F.avg_pool2d(random(3, 3, 54, 70), 7, 1).reshape(1, 3, 3, 48, 64)
    _, depth, T, K, inv_K = scene((1, 2, 3, 2, 48, 64), backwards=0.1)

    def run_form(form, dtype):
        frames, *camera = (x.to(dtype) for x in (images, T, K, inv_K))
        leaf = depth.to(dtype).requires_grad_()
        error, _ = warped_error(frames[:, 1:], leaf, *camera, frames[:, 0], kernels=form)
        return error.detach(), torch.autograd.grad(error.sum(), leaf)[0]

    exact = run_form('torch', torch.float64)
    ours, plain = (
        [(a.double() - b).abs().mean() for a, b in zip(found, exact, strict=True)]
        for found in (run_form('cpp', torch.float32), run_form('torch', torch.float32))
    )
    assert ours[0] < 0.5 * plain[0] and ours[1] < plain[1]


@needs_cpp
def test_bits_do_not_depend_on_the_number_of_threads():
    threads, runs = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            runs.append(chain(BANDS, 'cpp', torch.float32))
    finally:
        torch.set_num_threads(threads)
    for run_ in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(run_, runs[0], strict=True))


@needs_cpp
def test_a_static_frame_is_masked_entirely():
    sources, depth, _, K, inv_K = scene(SHAPES[0])
    T = torch.eye(4, dtype=torch.float64).repeat(1, 2, 1, 1)
    K, inv_K = torch.eye(3, dtype=torch.float64)[None], torch.eye(3, dtype=torch.float64)[None]
    target = random(1, 3, 13, 23, seed=4)
    still = still_error(sources, target, 0.85, 'cpp')
    error, mask = warped_error(
        sources, torch.ones_like(depth), T, K, inv_K, target, still, 0.85, 'cpp'
    )
    assert not mask.any() and torch.equal(error, still.expand_as(error))


@needs_cpp
@pytest.mark.parametrize('place', [0, 1])
def test_nan_in_depth_or_pose_is_refused_by_the_cpp_kernel(place):
    arguments = list(scene(SHAPES[0]))
    arguments[1 + place].flatten()[3] = torch.nan
    target = random(1, 3, 13, 23, seed=4)
    with pytest.raises(FloatingPointError, match='depth, pose or K is not finite'):
        warped_error(*arguments, target, kernels='cpp')


@needs_cpp
def test_what_the_cpp_kernel_cannot_take_is_named():
    sources, depth, T, K, inv_K = scene(SHAPES[0])
    target = random(1, 3, 13, 23, seed=4)
    with pytest.raises(ValueError, match=r'expected sources .* got \[\(1, 2, 3, 13, 23\), '):
        warped_error(sources, depth, T, K, inv_K, target[..., 1:], kernels='cpp')
    with pytest.raises(ValueError, match='all of one type, got torch.float64'):
        warped_error(sources.float(), depth, T, K, inv_K, target.float(), kernels='cpp')
    with pytest.raises(ValueError, match='at least 2x2, got 23x1'):
        still_error(sources[..., :1, :], target[..., :1, :], kernels='cpp')


@needs_cpp
def test_the_cpp_kernel_stands_in_a_compiled_graph_like_any_other_operation():
    arguments = (*scene(SHAPES[0]), random(1, 3, 13, 23, seed=4))
    leaves = [x.requires_grad_() for x in arguments[1:3]]
    form = partial(warped_error, kernels='cpp')
    grads = []
    for run_ in (form, torch.compile(form, backend='aot_eager', fullgraph=True)):
        error, _ = run_(*arguments)
        grads.append([error, *torch.autograd.grad(error.sum(), leaves)])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_what_runs_is_chosen_by_a_word(monkeypatch):
    assert choose_form('torch', 'cpu') == ('torch', None)
    assert choose_form('auto', 'cuda') == ('torch', None)
    with pytest.raises(ValueError, match="must be one of .* got 'cuda'"):
        choose_form('cuda', 'cpu')
    with pytest.raises(ValueError, match="kernels='cpp' cannot run: it is for CPUs"):
        choose_form('cpp', 'cuda')
    monkeypatch.setattr(kernels, 'has_triton', lambda: True)
    assert choose_form('triton', 'cpu') == ('triton', None)
    monkeypatch.setattr(kernels, 'has_triton', lambda: False)
    with pytest.raises(ValueError, match='needs Triton'):
        choose_form('triton', 'cpu')


@needs_triton
def test_the_loss_is_a_tenth_of_the_operations():
    """On the `meta` device, where the plain form runs as on a GPU and nothing is computed."""
    sides = benchmark_loss.loss_sides((64, 32), 2, device='meta', dtype=torch.float32)
    counts = {name: count_operations(side).total() for name, side in sides.items()}
    assert 10 * counts['triton'] < counts['eager'] and 3 * counts['triton'] < counts['mmscd']

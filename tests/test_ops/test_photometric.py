"""The photometric error: its definition against loops, its fast form against the definition."""

import pytest
import torch
import torch.nn.functional as F

from mmscd.ops._cpu import box_mean, box_mean_adjoint
from mmscd.ops.photometric import photometric_error, photometric_error_by_definition


def naive_error(a, b, alpha=0.85):
    """pe(a, b) with five unfolded 3x3 windows; (B, 3, H, W) -> (B, H, W)."""

    def mean(x):
        padded = F.pad(x, (1, 1, 1, 1), mode='reflect')
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).mean((-1, -2))

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2
    cov = mean(a * b) - mu_a * mu_b
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * mu_a * mu_b + c1) * (2 * cov + c2)
    ssim = ssim / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    dissimilarity = ((1 - ssim) / 2).clamp(0, 1)
    return (alpha * dissimilarity + (1 - alpha) * (a - b).abs()).mean(1)


def random_images(*shape, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=g, dtype=torch.float64)


@pytest.mark.parametrize('form', [photometric_error, photometric_error_by_definition])
def test_error_map_equals_naive(form):
    g = torch.Generator().manual_seed(1)
    views = torch.rand(2, 2, 3, 3, 7, 9, generator=g, dtype=torch.float64)
    target = torch.rand(2, 3, 7, 9, generator=g, dtype=torch.float64)
    error = form(views, target)
    for s in range(2):
        for v in range(3):
            assert torch.allclose(
                error[:, s, v], naive_error(views[:, s, :, v], target), atol=1e-12, rtol=0
            )


@pytest.mark.parametrize('alpha', [0.85, 0.0, 1.0])
@pytest.mark.parametrize('shape', [(2, 2, 3, 4, 7, 9), (1, 1, 3, 1, 2, 2), (1, 3, 1, 2, 5, 3)])
def test_the_fast_form_is_the_definition_in_value_and_gradient(shape, alpha):
    views = random_images(*shape).requires_grad_()
    target = random_images(shape[0], shape[2], *shape[4:], seed=2)
    weight = random_images(*shape[:2], *shape[3:], seed=3)
    expected, found = (
        form(views, target, alpha) for form in (photometric_error_by_definition, photometric_error)
    )
    assert (expected - found).abs().max() < 1e-12
    reference, gradient = (
        torch.autograd.grad((error * weight).sum(), views)[0] for error in (expected, found)
    )
    assert reference.abs().max() > 0 and (reference - gradient).abs().max() < 1e-10


def test_gradcheck_error_map():
    g = torch.Generator().manual_seed(2)
    views = torch.rand(1, 2, 3, 1, 4, 5, generator=g, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 3, 4, 5, generator=g, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, target), (views,))


def test_box_mean_adjoint_is_the_transpose():
    g = torch.Generator().manual_seed(3)
    x = torch.rand(2, 5, 6, generator=g, dtype=torch.float64)
    y = torch.rand(2, 5, 6, generator=g, dtype=torch.float64)
    assert torch.isclose((box_mean(x) * y).sum(), (x * box_mean_adjoint(y)).sum(), atol=1e-12)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'views must be .* got \(1, 1, 3, 1, 4, 4\) and'):
        photometric_error(torch.zeros(1, 1, 3, 1, 4, 4), torch.zeros(1, 3, 4, 5))

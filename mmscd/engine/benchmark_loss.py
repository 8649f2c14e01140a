"""The photometric loss in the usual form, which this package's is timed against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.geometry import (
    axis_angle_to_rotation,
    compose_transform,
    disp_to_depth,
    sample_views,
)
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.ops.kernels import has_triton, why_no_cpp

from .step_graph import WARM_UP, CudaRecorder


class EagerLoss(nn.Module):
    """`eager_loss` as a term of a model."""

    def forward(self, outputs: StepOutputs) -> Tensor:
        """Scalar."""
        return eager_loss(outputs)


def loss_sides(
    size: tuple[int, int], batch: int, sources: int = 2, scales: int = 4, **to: Any
) -> Mapping[str, Callable[[], tuple[Tensor, tuple[Tensor, ...]]]]:
    """Forward and backward of the photometric loss on random smooth images of (width, height), in
    the usual form (`eager`), in ours (`mmscd`), and where they can run by Triton's kernels on a GPU
    (`triton`) or by C++ on a CPU (`cpp`). Each gives the loss and its gradients to disparities,
    rotations and translations, which are equal up to rounding. `to` is device and dtype."""
    (width, height), generator = size, torch.Generator().manual_seed(0)
    shapes = [(batch, 1, height >> k, width >> k) for k in range(scales)]
    leaves = [0.3 * torch.rand(shape, generator=generator) for shape in shapes]
    leaves += [s * torch.randn(batch, sources, 3, generator=generator) for s in (0.01, 0.1)]
    leaves = [leaf.to(**to).requires_grad_() for leaf in leaves]
    noise = torch.rand(batch * (sources + 1), 3, height, width, generator=generator)
    frames = F.avg_pool2d(noise, 5, 1, 2).reshape(batch, sources + 1, 3, height, width).to(**to)
    f = 0.58 * width
    K = torch.tensor([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]]).repeat(batch, 1, 1)
    K = K.to(**to)
    inv_K = torch.linalg.inv(K)

    def side(
        loss: Callable[[StepOutputs], Tensor], kernels: str = 'torch'
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        T = compose_transform(axis_angle_to_rotation(leaves[-2]), leaves[-1])
        views: dict[str, Any] = dict(target=frames[:, 0], sources=frames[:, 1:], kernels=kernels)
        views['T_source_target'] = T
        value = loss(StepOutputs(K=K, inv_K=inv_K, disps=leaves[:-2], **views))
        return value.detach(), torch.autograd.grad(value, leaves)

    forms = dict(eager=partial(side, eager_loss), mmscd=partial(side, PhotometricLoss()))
    device = torch.device(to.get('device', 'cpu')).type
    if device != 'cpu' and has_triton():
        forms['triton'] = partial(side, PhotometricLoss(), 'triton')
    if device == 'cpu' and why_no_cpp(device) is None:
        forms['cpp'] = partial(side, PhotometricLoss(), 'cpp')
    return forms


def recorded(side: Callable[[], tuple[Tensor, Any]]) -> Callable[[], Tensor]:
    """A side on a GPU as one CUDA graph, which is recorded now: what it takes there, without what
    Python takes to start it."""
    recorder = CudaRecorder()
    for _ in range(WARM_UP):
        recorder.warm_up(lambda: side()[0])
    value = recorder.record(lambda: side()[0])

    def replay() -> Tensor:
        recorder.replay()
        return value

    return replay


def eager_loss(outputs: StepOutputs, alpha: float = 0.85) -> Tensor:
    """The photometric loss in the shape that depth code bases usually give it: one eager operation
    after the other, source by source and scale by scale (Godard et al., 2019, eq. 1-6, without a
    random tie-break). `PhotometricLoss` is timed against it, and it is an independent reference for
    its value."""
    target, total = outputs.target, outputs.target.new_zeros(())
    sources = outputs.sources.unbind(1)
    for disp in outputs.disps:
        disp = F.interpolate(disp, target.shape[-2:], mode='bilinear', align_corners=False)
        depth = disp_to_depth(disp, *outputs.depth_range)
        errors = [_eager_error(source, target, alpha) for source in sources]
        for s, source in enumerate(sources):
            view = _eager_warp(source, depth, outputs.T_source_target[:, s], outputs)
            errors.append(_eager_error(view, target, alpha))
        total = total + torch.cat(errors, 1).min(1).values.mean()
    return total / len(outputs.disps)


def _eager_warp(source: Tensor, depth: Tensor, T: Tensor, outputs: StepOutputs) -> Tensor:
    batch, _, height, width = source.shape
    rows, columns = (torch.arange(side).to(depth) for side in (height, width))
    v, u = torch.meshgrid(rows, columns, indexing='ij')
    pixels = torch.stack([u.flatten(), v.flatten(), torch.ones_like(u).flatten()])
    points = depth.flatten(2) * torch.matmul(outputs.inv_K, pixels.repeat(batch, 1, 1))
    points = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    points = torch.matmul(torch.matmul(outputs.K, T[:, :3]), points)
    pixels = points[:, :2] / points[:, 2:].clamp(min=1e-7)
    grid = pixels.reshape(batch, 2, height, width).permute(0, 2, 3, 1)
    # pixel centres at whole numbers: half a pixel to the edge
    grid = (grid + 0.5) / torch.tensor([width, height]).to(grid) * 2 - 1
    return sample_views(source, grid)


def _eager_error(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    absolute = torch.abs(y - x).mean(1, True)
    x, y = F.pad(x, (1, 1, 1, 1), 'reflect'), F.pad(y, (1, 1, 1, 1), 'reflect')
    mean = partial(F.avg_pool2d, kernel_size=3, stride=1)
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y = mean(x**2) - mu_x**2, mean(y**2) - mu_y**2
    above = (2 * mu_x * mu_y + 0.01**2) * (2 * (mean(x * y) - mu_x * mu_y) + 0.03**2)
    below = (mu_x**2 + mu_y**2 + 0.01**2) * (var_x + var_y + 0.03**2)
    ssim = torch.clamp((1 - above / below) / 2, 0, 1).mean(1, True)
    return alpha * ssim + (1 - alpha) * absolute

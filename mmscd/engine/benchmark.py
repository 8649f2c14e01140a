"""What training costs: steps, the photometric loss and the loading of samples, timed in turns."""

from __future__ import annotations

import copy
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from terminaltables import AsciiTable
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmscd.geometry import (
    axis_angle_to_rotation,
    compose_transform,
    disp_to_depth,
    sample_views,
)
from mmscd.models.loading import disable_initial_weights
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.ops.kernels import has_triton

from . import launch
from .hooks import IsomorphicGraphDistillHook

Side = Callable[[], Any]


def take_turns(sides: Mapping[str, Side], turns: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of every timed turn of every side, after `warm_up` untimed ones. Turns alternate, so
    that what else the machine does falls on all sides alike."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm_up + turns):
        for name, side in sides.items():
            _synchronise()
            begin = time.perf_counter()
            side()
            _synchronise()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - begin)
    return times


class _OperationCounter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if not (func.is_view or 'empty' in name or name in _NO_KERNEL):
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


_NO_KERNEL = ('detach', '_unsafe_view', 'lift_fresh', '_reshape_alias', 'set_', 'resize_')


def count_operations(side: Side) -> Counter[str]:
    """How often a side runs each operation of PyTorch that computes something, so about how many
    kernels it starts on a GPU; views and allocations do not count. On a CPU, where one thread runs
    all of a step; kernels that PyTorch does not dispatch are not seen."""
    with _OperationCounter() as counter:
        side()
    return counter.counts


def make_table(
    times: Mapping[str, Sequence[float]], samples: int, operations: Mapping[str, int] | None = None
) -> str:
    """Times and their ratios to the first side's, the median over pairs of turns; one turn of any
    side works through so many samples, in so many operations where they were counted."""
    first = next(iter(times.values()))
    rows = [['', 'median ms', 'min ms', 'samples/s', 'x first (median)', 'x first (min)']]
    if operations:
        rows[0].append('operations')
    for name, own in times.items():
        median = statistics.median(own)
        ratio = statistics.median(a / b for a, b in zip(own, first, strict=True))
        numbers = [f'{1000 * median:.1f}', f'{1000 * min(own):.1f}', f'{samples / median:.1f}']
        rows.append([name, *numbers, f'{ratio:.2f}', f'{min(own) / min(first):.2f}'])
        if operations:
            rows[-1].append(str(operations[name]))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'
    foot = f'{len(first)} turns each, {device}, {torch.get_num_threads()} torch threads'
    return f'{AsciiTable(rows).table}\n{foot}, torch {torch.__version__}'


def training_step(
    cfg: Config, work_dir: str, amp: bool = False, loss: nn.Module | None = None
) -> Side:
    """A function that does one training step on a fixed batch, at full strength of every loss, as
    `tools/train.py --amp` would; the Runner writes to `work_dir`. `loss` replaces the photometric
    one."""
    cfg = copy.deepcopy(cfg)
    # mmengine keeps loggers and visualizers, with their folders, by name
    name = 'step' + work_dir.replace('/', '_')
    cfg.update(work_dir=work_dir, log_level='WARNING', experiment_name=name)
    cfg.visualizer.name = name
    for part in ('cfg', 'dataloader', 'evaluator'):
        cfg[f'val_{part}'] = cfg[f'test_{part}'] = None
    cfg.default_hooks.checkpoint.save_best = None
    # strengths are 1 without a schedule
    cfg.default_hooks.schedule = None
    cfg.train_dataloader.num_workers = 0
    disable_initial_weights(cfg.model)
    if amp:
        launch.set_amp(cfg)
    runner = launch.build_runner(cfg)
    batch = next(iter(runner.build_dataloader(cfg.train_dataloader, seed=0)))
    optimizer = runner.build_optim_wrapper(cfg.optim_wrapper)
    model = runner.model.train()
    if loss is not None:
        model.losses['photometric'] = loss
    for hook in runner.hooks:
        if isinstance(hook, IsomorphicGraphDistillHook):
            hook.before_train(runner)
    return partial(model.train_step, batch, optimizer)


def reference_step(cfg: Config, work_dir: str) -> Side:
    """`training_step` of a config's networks and data with the loss of the usual form, in float32
    and NCHW order, with a plain Adam: what the steps of this package are timed against."""
    cfg = copy.deepcopy(cfg)
    usual = {name: cfg.model.losses[name] for name in ('photometric', 'smoothness')}
    cfg.model.update(losses=usual, distiller=None, pixel_weights=None)
    cfg.model.update(network_dtype=None, channels_last=False)
    cfg.default_hooks.distill = None
    cfg.optim_wrapper.optimizer = dict(type='Adam', lr=1e-4, foreach=False)
    cfg.optim_wrapper.pop('constructor', None)
    return training_step(cfg, work_dir, loss=_EagerLoss())


class _EagerLoss(nn.Module):
    def forward(self, outputs: StepOutputs) -> Tensor:
        return eager_loss(outputs)


def loss_sides(
    size: tuple[int, int], batch: int, sources: int = 2, scales: int = 4, **to: Any
) -> Mapping[str, Callable[[], tuple[Tensor, tuple[Tensor, ...]]]]:
    """Forward and backward of the photometric loss on random smooth images of (width, height), in
    the usual form (`eager`), in ours (`mmscd`) and, where there is a GPU, by Triton's kernels
    (`triton`). Each gives the loss and its gradients to disparities, rotations and translations,
    which are equal up to rounding. `to` is device and dtype."""
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

    def side(
        loss: Callable[[StepOutputs], Tensor], kernels: str = 'torch'
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        T = compose_transform(axis_angle_to_rotation(leaves[-2]), leaves[-1])
        views: dict[str, Any] = dict(target=frames[:, 0], sources=frames[:, 1:], kernels=kernels)
        views['T_source_target'] = T
        value = loss(StepOutputs(K=K, inv_K=torch.linalg.inv(K), disps=leaves[:-2], **views))
        return value.detach(), torch.autograd.grad(value, leaves)

    forms = dict(eager=partial(side, eager_loss), mmscd=partial(side, PhotometricLoss()))
    if torch.device(to.get('device', 'cpu')).type != 'cpu' and has_triton():
        forms['triton'] = partial(side, PhotometricLoss(), 'triton')
    return forms


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


def loading_side(cfg: Config) -> Side:
    """A function that takes the next batch of a training's dataloader, as the config has it."""
    batches = iter(launch.Runner.build_dataloader(copy.deepcopy(cfg.train_dataloader), seed=0))
    return partial(next, batches)


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

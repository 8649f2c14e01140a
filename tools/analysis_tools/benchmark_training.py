"""Time the photometric loss and the loading of samples, side by side with the usual way.

Example::

    python tools/analysis_tools/benchmark_training.py --images \
        data/kitti/2011_09_26/2011_09_26_drive_0095_sync/image_02/data

LOSS: forward and backward of `PhotometricLoss` and of `eager_loss.EagerPhotometricLoss`, which has
the same value. LOADER: a sample of three frames by `LoadFrames`, `ResizeFrames`, `PackDepthInputs`
and by `pil_loader.load_sample`, in this process, files in the page cache. The two sides take turns;
a ratio is one pair of turns, and its median and minimum are printed. Nothing depends on the times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from eager_loss import EagerPhotometricLoss
from mmengine.dataset import default_collate
from torch import Tensor

from mmscd.datasets import LoadFrames, PackDepthInputs, ResizeFrames
from mmscd.datasets.formats.images import IMAGE_EXTENSIONS
from mmscd.geometry import axis_angle_to_rotation, compose_transform
from mmscd.models import DepthDataPreprocessor
from mmscd.models.losses import PhotometricLoss
from mmscd.models.outputs import StepOutputs
from mmscd.utils.command_line import parse_size
from mmscd.utils.keyed_random import make_key

SAMPLES = 4  # per turn: plain, jittered, flipped, both
IMAGE_FOLDERS = ('*/*/image_02/data', '*/image_02/data', 'data', '.')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--part', choices=['all', 'loss', 'loader'], default='all')
    parser.add_argument('--size', type=parse_size, default=(640, 192), help='of both parts')
    parser.add_argument('--repeats', type=int, default=5, help='turns of each side')
    parser.add_argument('--threads', type=int, default=None, help='of torch in the LOSS part')
    group = parser.add_argument_group('LOSS')
    group.add_argument('--batch', type=int, default=4)
    group.add_argument('--sources', type=int, default=2)
    group.add_argument('--scales', type=int, default=4)
    group.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    group = parser.add_argument_group('LOADER')
    group.add_argument(
        '--images', type=Path, help='folder of frames; default: the first of $KITTI_ROOT or data/'
    )
    return parser.parse_args()


def take_turns(
    sides: dict[str, Callable[[], object]], repeats: int, synchronise: Callable[[], object]
) -> dict[str, list[float]]:
    """Seconds of every turn of every side; the first, untimed turn of each warms up."""
    times = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            synchronise()
            start = time.perf_counter()
            side()
            synchronise()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def report(times: dict[str, list[float]], references: list[str], per: int = 1) -> None:
    """Print times, and for every reference the ratios of the sides that are no reference."""
    milliseconds = 1000 / per
    for name, values in times.items():
        print(
            f'  {name:36s} {statistics.median(values) * milliseconds:8.1f} ms median '
            f'{min(values) * milliseconds:8.1f} ms min'
        )
    for reference in references:
        for name in [n for n in times if n not in references]:
            ratios = [a / b for a, b in zip(times[reference], times[name], strict=True)]
            print(
                f'  {reference} / {name}: median {statistics.median(ratios):.2f}, '
                f'min {min(ratios):.2f}'
            )


class LossProblem:
    """Random inputs of the losses, and both losses.

    Args:
        args: the command line.
        batch: images.
        dtype: of everything.
    """

    def __init__(self, args: argparse.Namespace, batch: int, dtype: torch.dtype) -> None:
        (width, height), to = args.size, dict(device=args.device, dtype=dtype)
        self.generator = torch.Generator().manual_seed(0)
        focal = 0.58 * width
        K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        K = K.repeat(batch, 1, 1).to(**to)
        g = self.generator
        leaves = [
            torch.rand(batch, 1, height >> k, width >> k, generator=g) * 0.3
            for k in range(args.scales)
        ]
        leaves.append(torch.randn(batch, args.sources, 3, generator=g) * 0.01)
        leaves.append(torch.randn(batch, args.sources, 3, generator=g) * 0.1)
        self.leaves = [leaf.to(**to).requires_grad_() for leaf in leaves]
        self.outputs = StepOutputs(
            target=self.images(batch, 1, height, width)[:, 0].to(**to),
            sources=self.images(batch, args.sources, height, width).to(**to),
            disps=self.leaves[:-2],
            K=K,
            inv_K=torch.linalg.inv(K),
            depth_range=(0.1, 100.0),
        )
        self.losses = dict(
            eager=EagerPhotometricLoss(batch, height, width).to(**to), mmscd=PhotometricLoss()
        )

    def images(self, batch: int, count: int, height: int, width: int) -> Tensor:
        """Smooth random images (batch, count, 3, height, width)."""
        noise = torch.rand(batch * count, 3, height, width, generator=self.generator)
        return F.avg_pool2d(noise, 5, 1, 2).reshape(batch, count, 3, height, width)

    def step(self, name: str) -> tuple[float, tuple[Tensor, ...]]:
        """Forward and backward: the loss and the gradients of the leaves."""
        T = compose_transform(axis_angle_to_rotation(self.leaves[-2]), self.leaves[-1])
        loss = self.losses[name](self.outputs | dict(T_source_target=T))
        return loss.item(), torch.autograd.grad(loss, self.leaves)

    def compare(self) -> str:
        """Values and the largest relative difference of gradients."""
        (eager, eager_grads), (ours, grads) = self.step('eager'), self.step('mmscd')
        pairs = zip(eager_grads, grads, strict=True)
        off = max(((a - b).norm() / a.norm()).item() for a, b in pairs)
        return f'eager {eager:.10f}, mmscd {ours:.10f}; gradients differ by {off:.1e} (relative)'


def benchmark_loss(args: argparse.Namespace) -> None:
    """Part LOSS."""
    width, height = args.size
    device = torch.cuda.get_device_name() if args.device == 'cuda' else 'cpu'
    print(
        f'LOSS, forward + backward: batch {args.batch}, {width}x{height}, {args.sources} sources, '
        f'{args.scales} scales, float32, {device}, {torch.get_num_threads()} torch threads'
    )
    print(f'  float64, batch 1: {LossProblem(args, 1, torch.float64).compare()}')
    problem = LossProblem(args, args.batch, torch.float32)
    print(f'  float32: {problem.compare()}')
    sides = {name: partial(problem.step, name) for name in problem.losses}
    synchronise = torch.cuda.synchronize if args.device == 'cuda' else lambda: None
    report(take_turns(sides, args.repeats, synchronise), ['eager'])


def find_images(folder: Path | None) -> list[str]:
    """Files of consecutive frames.

    Raises:
        SystemExit: there are fewer than three.
    """
    roots = [Path(os.environ.get('KITTI_ROOT', 'data/kitti')), Path('data/demo_world')]
    patterns = [(root, pattern) for root in roots for pattern in IMAGE_FOLDERS]
    for root, pattern in [(folder, '.')] if folder else patterns:
        for candidate in sorted(root.glob(pattern)) if pattern != '.' else [root]:
            if candidate.is_dir():
                files = sorted(
                    str(file) for file in candidate.iterdir() if file.suffix in IMAGE_EXTENSIONS
                )
                if len(files) >= 3:
                    return files
    raise SystemExit(
        f'three images ({", ".join(IMAGE_EXTENSIONS)}) are needed, found none in '
        f'{folder or " or ".join(map(str, roots))}; name a folder of frames with --images'
    )


def load_ours(paths: list[str], transforms: list[Callable], number: int) -> dict:
    """One sample by mmscd's pipeline."""
    results = dict(
        frame_ids=[0, -1, 1],
        frame_paths=paths,
        img_path=paths[0],
        K_ori=np.array([[720.0, 0, 610], [0, 720, 173], [0, 0, 1]]),
        sample_idx=number,
        draw_key=make_key(0, number),
    )
    for transform in transforms:
        results = transform(results)
    return results


def benchmark_loader(args: argparse.Namespace) -> None:
    """Part LOADER, on one thread."""
    try:
        from pil_loader import load_sample
    except ImportError as error:
        raise SystemExit(f'the LOADER part needs Pillow: pip install pillow ({error})') from error

    files = find_images(args.images)
    files = [files[i % len(files)] for i in range(SAMPLES + 2)]
    samples = [[files[i + 1], files[i], files[i + 2]] for i in range(SAMPLES)]
    transforms = [LoadFrames(), ResizeFrames(args.size), PackDepthInputs()]
    preprocessor = DepthDataPreprocessor()

    def ours(number: int, preprocess: bool) -> None:
        sample = load_ours(samples[number], transforms, number)
        if preprocess:
            preprocessor(default_collate([sample]), training=True)

    def turn(load: Callable[[int], object]) -> None:
        for number in range(SAMPLES):
            load(number)

    def pil(number: int, full_size: bool) -> None:
        load_sample(samples[number], args.size, number, full_size=full_size)

    sides = {
        'PIL': partial(pil, full_size=True),
        'PIL without full-size tensors': partial(pil, full_size=False),
        'mmscd': partial(ours, preprocess=False),
        'mmscd + preprocessor (on the CPU)': partial(ours, preprocess=True),
    }
    height, width = cv2.imread(files[0]).shape[:2]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    print(
        f'LOADER, one sample of 3 frames: {width}x{height} {Path(files[0]).suffix} to '
        f'{args.size[0]}x{args.size[1]}, one process, torch 1 thread, cv2 without threads'
    )
    times = take_turns({n: partial(turn, s) for n, s in sides.items()}, args.repeats, lambda: None)
    torch.set_num_threads(threads)
    report(times, ['PIL', 'PIL without full-size tensors'], SAMPLES)


def main() -> None:
    """Run what is asked for."""
    args = parse_args()
    if args.repeats < 1:
        raise SystemExit(f'--repeats must be at least 1, got {args.repeats}')
    if args.threads:
        torch.set_num_threads(args.threads)
    print(f'torch {torch.__version__}, cv2 {cv2.__version__}')
    if args.part != 'loader':
        benchmark_loss(args)
    if args.part != 'loss':
        benchmark_loader(args)


if __name__ == '__main__':
    main()

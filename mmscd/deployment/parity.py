"""Does an exported file compute what the model computes?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mmscd.datasets.formats.images import IMAGE_EXTENSIONS, read_image
from mmscd.datasets.transforms.resize import ResizeFrames
from mmscd.structures import DepthDataSample
from mmscd.utils.files import list_files

from .depth_graph import DepthGraph


@dataclass(frozen=True)
class Parity:
    """Largest relative differences |file - model| / |model| over all pixels of all images: of the
    inverse depth, which is what the file puts out, and of the disparity in [0, 1], the stricter
    one, because it may come near 0. `worst` is the image with the largest difference of `disp`."""

    images: int
    inv_depth: float
    disp: float
    worst: str

    @property
    def largest(self) -> float:
        """The larger one; infinite where anything was not a number."""
        return max(self.inv_depth, self.disp)


Frames = list[tuple[str, np.ndarray]]


def read_frames(
    sources: Sequence[str | Path] | None, size: tuple[int, int], count: int | None = None
) -> Frames:
    """(name, uint8 RGB (H, W, 3)) of images at the network's size, resized as the pipelines do.

    Args:
        sources: files, or folders of which all images are taken, those of folders below too; None:
            random ones, smooth and rough.
        size: (width, height).
        count: at most so many; of random ones 4 by default.

    Raises:
        FileNotFoundError: a file is missing, or a folder holds no image.
        OSError: an image is truncated or unreadable.
    """
    if sources is None:
        return _random_frames(size, count or 4)
    files = [file for source in sources for file in _list_images(Path(source))]
    resize, frames = ResizeFrames(size), []
    for file in files[:count]:
        results = dict(frames=[read_image(file)], K=np.eye(3))
        frames.append((file.name, resize(results)['frames'][0]))
    return frames


def _list_images(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = list_files(path, IMAGE_EXTENSIONS, below=True)
    if not files:
        kinds = ', '.join(IMAGE_EXTENSIONS)
        raise FileNotFoundError(f'{path} holds no image ({kinds}), nor do the folders below')
    return files


def _random_frames(size: tuple[int, int], count: int) -> Frames:
    rng, (width, height) = np.random.default_rng(0), size
    frames = []
    for number in range(count):
        cells = 2 ** (2 + number % 4)  # from large patches to nearly single pixels
        shape = (max(2, height // cells), max(2, width // cells), 3)
        small = rng.integers(0, 256, shape, dtype=np.uint8)
        frames.append((f'random {number}', cv2.resize(small, size)))
    return frames


@torch.no_grad()
def model_inv_depth(model: nn.Module, frames: np.ndarray) -> Tensor:
    """Inverse depth, float32 (B, 1, H, W), of uint8 RGB frames (B, H, W, 3) as the model on the CPU
    says it by its own way: preprocessor, `predict`, data samples."""
    images = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))[:, None]
    samples = [DepthDataSample(metainfo=dict(ori_shape=frames.shape[1:3])) for _ in images]
    inputs = dict(frames=images, K=torch.eye(3).repeat(len(images), 1, 1))
    outputs = model.test_step(dict(inputs=inputs, data_samples=samples))
    return torch.stack([sample.pred_inv_depth.data for sample in outputs])


@torch.no_grad()
def check_parity(
    model: nn.Module, run: Callable[[Tensor], Tensor], frames: Frames, batch: int = 1
) -> Parity:
    """Compare an exported function with the model.

    Args:
        model: the estimator, float32.
        run: images in [0, 1] (B, 3, H, W) to inverse depth (B, 1, H, W).
        frames: all of one size.
        batch: images per call; the last call is filled up with repeated images.
    """
    graph = DepthGraph(model)
    largest, worst = [0.0, 0.0], ''
    for start in range(0, len(frames), batch):
        part = frames[start : start + batch]
        filled = [part[i % len(part)] for i in range(batch)]
        stacked = np.stack([image for _, image in filled])
        expected = model_inv_depth(model, stacked)
        images = torch.from_numpy(stacked.transpose(0, 3, 1, 2).copy()).float() / 255
        actual = run(images).float()
        if actual.shape != expected.shape:
            shapes = tuple(actual.shape), tuple(expected.shape)
            raise ValueError(f'the file puts out {shapes[0]}, the model {shapes[1]}')
        pairs = (expected, actual), (graph.to_disp(expected), graph.to_disp(actual))
        for number, (a, b) in enumerate(pairs):
            off = ((b - a).abs() / a.abs().clamp(min=1e-12)).nan_to_num(nan=torch.inf)
            off = off.flatten(1).amax(1)
            if off.max().item() > largest[number]:
                largest[number] = off.max().item()
                worst = filled[int(off.argmax())][0] if number else worst
    return Parity(len(frames), largest[0], largest[1], worst)

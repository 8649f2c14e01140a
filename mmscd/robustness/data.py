"""Data of the corruption benchmark: images decoded once, corrupted by workers, pass by pass."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader, Dataset

from mmscd.corruptions import image_id_from_path
from mmscd.datasets.base import BaseDepthDataset
from mmscd.datasets.formats.images import decode_rgb, image_size, read_bytes
from mmscd.datasets.transforms import CorruptFrames
from mmscd.evaluation.protocols import DepthProtocol, select_pixels
from mmscd.registry import DATASETS
from mmscd.robustness.scores import CLEAN

Pass = tuple[str, int]
_KITTI_C_PREFIXES = ('kitti_data', '')
_KITTI_C_SUFFIXES = ('.png', '.jpg', '.jpeg')


@dataclass
class BenchmarkImage:
    """A decoded image before its corruption, and its ground truth.

    Attributes:
        image_id: see `image_id_from_path`.
        results: the pipeline's dict as it is where the corruption comes in.
        index, depth: flat indices and depths (metres) of the pixels that count.
        shape: (H, W) of the ground truth.
    """

    image_id: str
    results: dict[str, Any]
    index: np.ndarray
    depth: np.ndarray
    shape: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory it takes, bytes."""
        frames = sum(frame.nbytes for frame in self.results['frames'])
        return frames + self.index.nbytes + self.depth.nbytes


class BenchmarkImages:
    """The images of a test data set, cut in two where the corruption comes in.

    Args:
        dataset: config of the data set with its test pipeline.
        protocol: 'robodepth' (corrupted just before the last transform) or 'native' (right after
            loading).
        metric: which pixels count.

    Raises:
        ValueError: the pipeline or the data set does not fit.
    """

    def __init__(self, dataset: dict, protocol: str, metric: DepthProtocol) -> None:
        self.dataset = DATASETS.build(dataset)
        if not hasattr(self.dataset, 'get_data_info'):
            raise ValueError(
                f'the benchmark needs a data set with samples of its own, not a '
                f'{type(self.dataset).__name__}; name one of its parts as test_dataloader.dataset'
            )
        transforms = list(self.dataset.pipeline.transforms)
        names = [type(transform).__name__ for transform in transforms]
        if len(names) < 2 or names[0] != 'LoadFrames' or names[-1] != 'PackDepthInputs':
            raise ValueError(
                'the benchmark needs a test pipeline from LoadFrames to PackDepthInputs, got '
                f'{names}'
            )
        if 'CorruptFrames' in names:
            raise ValueError('the test pipeline corrupts already: take CorruptFrames out of it')
        cut = 1 if protocol == 'native' else len(transforms) - 1
        self.head, self.tail = transforms[:cut], transforms[cut:]
        self.metric = metric
        self.data_root = str(self.dataset.data_root)

    def __len__(self) -> int:
        return len(self.dataset)

    def load(self, number: int) -> BenchmarkImage:
        """Decode one image and select its ground truth.

        Raises:
            OSError: a file is missing or broken; the text names it.
            ValueError: there is no ground truth.
        """
        results = self.dataset.get_data_info(number)
        truth = results.pop('gt_depth', None)
        if truth is None:
            raise ValueError(
                f'{results["img_path"]} has no ground truth: set test_mode=True (or with_gt=True) '
                'in test_dataloader.dataset'
            )
        for transform in self.head:
            results = transform(results)
        index, depth = select_pixels(truth, self.metric)
        image_id = image_id_from_path(results['img_path'], self.data_root)
        return BenchmarkImage(image_id, results, index.astype(np.int32), depth, truth.shape)


def check_images(dataset: BaseDepthDataset) -> None:
    """Look at the frames of all samples without decoding: complete, or an OSError now."""
    for number in range(len(dataset)):
        for path in dataset.get_data_info(number)['frame_paths']:
            image_size(read_bytes(path), path)


class CorruptedImages(Dataset):
    """All passes over some images; indexed by (number of the pass, number of the image).

    Args:
        images: decoded.
        passes: (corruption, severity); ('clean', 0) leaves the images as they are.
        source: where the cut pipeline goes on.
        seed: of the corruptions.
        kitti_c: folder of a KITTI-C on disk, which is read instead.
    """

    def __init__(
        self,
        images: Sequence[BenchmarkImage],
        passes: Sequence[Pass],
        source: BenchmarkImages,
        seed: int,
        kitti_c: str | None = None,
    ) -> None:
        self.images, self.passes, self.source = images, passes, source
        self.seed, self.kitti_c = seed, kitti_c

    def __getitem__(self, place: tuple[int, int]) -> dict[str, Any]:
        """The packed sample and its psnr (dB).

        An error is an item too: DataLoader would send it as a traceback of the worker.
        """
        try:
            return self._make(self.passes[place[0]], self.images[place[1]]) | dict(place=place)
        except (OSError, ValueError) as error:
            return dict(error=error)

    def _make(self, pass_: Pass, image: BenchmarkImage) -> dict[str, Any]:
        results = dict(image.results)
        if pass_[0] != CLEAN and self.kitti_c is not None:
            path = find_kitti_c(self.kitti_c, pass_, image.image_id)
            results['frames'] = [_read_like(path, results['frames'][0])]
        elif pass_[0] != CLEAN:
            results = CorruptFrames(*pass_, self.seed, None, self.source.data_root)(results)
        clean, frame = image.results['frames'][0], results['frames'][0]
        psnr = cv2.PSNR(clean, frame) if pass_[0] != CLEAN else float('inf')
        for transform in self.source.tail:
            results = transform(results)
        return dict(data=results, psnr=float(psnr))


def _read_like(path: Path, frame: np.ndarray) -> np.ndarray:
    """An image of a KITTI-C, which must have the size of the network's input."""
    stored = decode_rgb(read_bytes(path), path)[0]
    if stored.shape != frame.shape:
        raise ValueError(
            f'{path} is {stored.shape[1]}x{stored.shape[0]}, but the network takes '
            f'{frame.shape[1]}x{frame.shape[0]}: write the set for this size, or corrupt on the fly'
        )
    return stored


def find_kitti_c(root: str | Path, pass_: Pass, image_id: str) -> Path:
    """File of an image in a KITTI-C: `corruption/severity/[kitti_data/]date/drive/...`.

    Raises:
        FileNotFoundError: there is none.
    """
    folder = Path(root) / pass_[0] / str(pass_[1])
    candidates = [
        folder / prefix / f'{image_id}{suffix}'
        for prefix in _KITTI_C_PREFIXES
        for suffix in _KITTI_C_SUFFIXES
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f'{candidates[0]} does not exist (nor without {_KITTI_C_PREFIXES[0]}/, nor as .jpg): '
        'complete the KITTI-C, or leave this corruption or severity out'
    )


def read_batches(data: CorruptedImages, batch_size: int, workers: int) -> Iterator[dict[str, Any]]:
    """Batches of one pass after the other; no batch mixes passes.

    Args:
        data: passes and images.
        batch_size: images per batch.
        workers: processes that corrupt; 0: in this one.

    Yields:
        `number` of the pass, `indices` of the images, `data` for the model, `psnr` of each image.

    Raises:
        OSError, ValueError: an image cannot be used.
    """
    count = len(data.images)
    batches = [
        [(number, i) for i in range(start, min(start + batch_size, count))]
        for number in range(len(data.passes))
        for start in range(0, count, batch_size)
    ]
    loader = DataLoader(
        data,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=start_worker if workers else None,
        prefetch_factor=4 if workers else None,
    )
    for batch in loader:
        if 'error' in batch:
            raise batch['error']
        yield batch


def start_worker(number: int = 0) -> None:
    """Make a process one of many that each work with one thread.

    Ctrl-C reaches the whole group; the main process ends its workers by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    for item in items:
        if 'error' in item:
            return item
    return dict(
        number=items[0]['place'][0],
        indices=[item['place'][1] for item in items],
        data=default_collate([item['data'] for item in items]),
        psnr=[item['psnr'] for item in items],
    )


def split_chunks(source: BenchmarkImages, memory: float) -> Iterator[range]:
    """Numbers of the images that are held in memory at once.

    Args:
        source: the images.
        memory: bytes that they may take.
    """
    size = max(1, int(memory // max(1, source.load(0).nbytes)))
    for start in range(0, len(source), size):
        yield range(start, min(start + size, len(source)))

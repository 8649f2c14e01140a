"""Data of the corruption benchmark: images decoded once, corrupted by workers, pass by pass."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader, Dataset

from mmscd.corruptions import CORRUPTIONS, image_id_from_path
from mmscd.datasets.base import BaseDepthDataset
from mmscd.datasets.formats.images import image_size, read_bytes, read_image
from mmscd.datasets.transforms import CorruptFrames
from mmscd.evaluation.protocols import DepthProtocol, select_pixels
from mmscd.registry import DATASETS

from .scores import CLEAN

Pass = tuple[str, int]


@dataclass
class BenchmarkImage:
    """A decoded image before its corruption, and its ground truth."""

    number: int  # in the data set
    image_id: str  # see `image_id_from_path`
    results: dict[str, Any]  # the pipeline's dict as it is where the corruption comes in
    index: np.ndarray  # flat indices of the pixels that count
    depth: np.ndarray  # and their depths, metres
    shape: tuple[int, int]  # (H, W) of the ground truth
    objects: np.ndarray | None  # which of these pixels show objects, see `LabelsBeside`


class BenchmarkImages:
    """The images of a test data set, its pipeline cut in two where the corruption comes in.

    With the protocol 'robodepth' that is just before the last transform, with 'native' right after
    loading. `metric` says which pixels count. ValueError where data set or pipeline do not fit.
    """

    def __init__(self, dataset: dict, protocol: str, metric: DepthProtocol) -> None:
        self.dataset = DATASETS.build(dataset)
        if not hasattr(self.dataset, 'pipeline'):
            raise ValueError(
                f'a {type(self.dataset).__name__} has no samples of its own; name one of its parts '
                'as test_dataloader.dataset'
            )
        transforms = list(self.dataset.pipeline.transforms)
        names = [type(transform).__name__ for transform in transforms]
        if len(names) < 2 or names[0] != 'LoadFrames' or names[-1] != 'PackDepthInputs':
            raise ValueError(
                f'the test pipeline must go from LoadFrames to PackDepthInputs, got {names}'
            )
        if 'CorruptFrames' in names:
            raise ValueError('the test pipeline corrupts already: take CorruptFrames out of it')
        cut = 1 if protocol == 'native' else len(transforms) - 1
        self.head, self.tail = transforms[:cut], transforms[cut:]
        self.metric = metric
        self.data_root = str(self.dataset.data_root)

    def __len__(self) -> int:
        return len(self.dataset)

    def split(self, memory: float) -> list[range]:
        """Numbers of the images that are held at once in so many bytes, at least one each."""
        image = self.load(0)
        arrays = [*image.results['frames'], image.index, image.depth]
        size = max(1, int(memory // sum(array.nbytes for array in arrays)))
        return [range(len(self))[start : start + size] for start in range(0, len(self), size)]

    def load(self, number: int) -> BenchmarkImage:
        """Decode one image and select its ground truth; OSError (of a file), ValueError (none)."""
        results = self.decode(number)
        truth = results.pop('gt_depth')
        index, depth = select_pixels(truth, self.metric, results['img_path'])
        objects = self.metric.find_objects(results['img_path'], index, truth.shape)
        image_id = image_id_from_path(results['img_path'], self.data_root)
        chosen = index.astype(np.int32), depth, truth.shape, objects
        return BenchmarkImage(number, image_id, results, *chosen)

    def decode(self, number: int, stand_in: Path | None = None) -> dict[str, Any]:
        """The dict of one image where the corruption comes in, or of another file in its place,
        with `gt_depth`, as loading holds that against the image."""
        results = self.dataset.get_data_info(number)
        if results.get('gt_depth') is None:
            raise ValueError(
                f'{results["img_path"]} has no ground truth: set test_mode=True (or with_gt=True) '
                'in test_dataloader.dataset'
            )
        if stand_in is not None:
            results['frame_paths'] = [str(stand_in), *results['frame_paths'][1:]]
        for transform in self.head:
            results = transform(results)
        return results


def check_images(dataset: BaseDepthDataset) -> None:
    """Look at the frames of all samples without decoding: complete, or an OSError now."""
    for number in range(len(dataset)):
        for path in dataset.get_data_info(number)['frame_paths']:
            image_size(read_bytes(path), path)


@dataclass(eq=False)
class CorruptedImages(Dataset):
    """All passes over some images; indexed by (number of the pass, number of the image)."""

    images: Sequence[BenchmarkImage]
    passes: Sequence[Pass]
    source: BenchmarkImages  # where the cut pipeline goes on
    seed: int  # of the corruptions
    kitti_c: str | None  # folder of a KITTI-C on disk, which is read instead
    shifted: str | None = None  # folder of the conditions that are no corruptions

    def __getitem__(self, place: tuple[int, int]) -> dict[str, Any]:
        """The packed sample and its psnr (dB).

        An error is an item too: DataLoader would send it as a traceback of the worker.
        """
        try:
            return self._make(self.passes[place[0]], self.images[place[1]]) | dict(place=place)
        except (OSError, ValueError) as error:
            return dict(error=error)

    def _make(self, pass_: Pass, image: BenchmarkImage) -> dict[str, Any]:
        results, clean = dict(image.results), image.results['frames'][0]
        if pass_[0] not in (CLEAN, *CORRUPTIONS):
            path = find_kitti_c(str(self.shifted), pass_, image.image_id)
            results = self.source.decode(image.number, path)
            del results['gt_depth']
        elif pass_[0] != CLEAN and self.kitti_c is not None:
            path = find_kitti_c(self.kitti_c, pass_, image.image_id)
            results['frames'] = [stored := read_image(path)]
            if stored.shape != clean.shape:
                (height, width), (rows, columns) = clean.shape[:2], stored.shape[:2]
                raise ValueError(
                    f'{path} is {columns}x{rows}, but the network takes {width}x{height}: write '
                    'the set for this size, or corrupt on the fly'
                )
        elif pass_[0] != CLEAN:
            results = CorruptFrames(*pass_, self.seed, None, self.source.data_root)(results)
        psnr = cv2.PSNR(clean, results['frames'][0]) if pass_[0] != CLEAN else float('inf')
        for transform in self.source.tail:
            results = transform(results)
        return dict(data=results, psnr=float(psnr))


def find_kitti_c(root: str | Path, pass_: Pass, image_id: str) -> Path:
    """File `corruption/severity/[kitti_data/]date/drive/...` of an image; or FileNotFoundError."""
    folder = Path(root) / pass_[0] / str(pass_[1])
    for prefix, suffix in product(('kitti_data', ''), ('.png', '.jpg', '.jpeg')):
        if (path := folder / prefix / f'{image_id}{suffix}').is_file():
            return path
    raise FileNotFoundError(
        f'{folder}/kitti_data/{image_id}.png does not exist (nor without kitti_data/, nor as '
        '.jpg): complete that folder, or leave this corruption or severity out'
    )


def read_batches(data: CorruptedImages, batch_size: int, workers: int) -> Iterator[dict[str, Any]]:
    """Batches of one pass after the other; no batch mixes passes; 0 workers: made in this process.

    `number` of the pass, `indices` of the images, `data` for the model, `psnr` of each image (dB).
    OSError or ValueError where an image cannot be used.
    """
    indices = range(len(data.images))
    batches = [
        [(number, i) for i in indices[start : start + batch_size]]
        for number in range(len(data.passes))
        for start in indices[::batch_size]
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
    """Make a process one of many that each work with one thread."""
    # Ctrl-C reaches the whole group; the main process ends its workers by itself
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

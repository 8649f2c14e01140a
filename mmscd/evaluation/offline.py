"""Predictions of others: reading them and their ground truth, and judging them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import PixelData

from mmscd.datasets.formats.arrays import is_map, read_arrays
from mmscd.datasets.formats.images import other_aspect, read_depth_png
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.structures import DepthDataSample
from mmscd.utils.files import list_files
from mmscd.utils.schema import shorten

from .functional import invert, resize_inverse_depth
from .ground_truth_file import GroundTruthFile
from .matching import match, read_condition_file

KINDS = ('inv_depth', 'depth', 'disp')
_SUFFIXES = ('.npy', '.npz', '.png')


@dataclass(frozen=True)
class Images:
    """Predictions or ground truth of some images.

    Attributes:
        origin: for reports.
        names: of the images, paths whose beginnings may lack; empty: their order says who is who.
        load: of an index: predictions give inverse depth float32 (h, w), ground truth a dict with
            `gt_depth` (H, W) metres, `img_path`, and `K_ori` where it is known.
        in_order: of ground truth: predictions whose names do not say whose they are follow it.
    """

    origin: str
    count: int
    names: Sequence[str]
    load: Callable[[int], Any]
    in_order: bool = False


def open_predictions(path: str | Path, kind: str, key: str | None = None) -> Images:
    """Predictions of a .npy (N, h, w), a .npz with such an array and perhaps `frames`, their names,
    or a folder, searched below, with a .npy, .npz or 16-bit .png (value / 256) per image.

    `kind`, one of `KINDS`: 1 / depth up to scale, depth, or the sigmoid output in [0, 1] of a
    network, whose 1 and 0 stand for 0.1 and 100 m. `key`: array of an .npz; None: the only one with
    maps.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.is_dir():
        files = _list_maps(path)
        names: Sequence[str] = [str(file.relative_to(path)) for file in files]
        count, read = len(files), lambda i: _read_map(files[i], key)
    else:
        stack, names = _read_stack(path, key)
        count, read = len(stack), lambda i: stack[i]

    def load(i: int) -> np.ndarray:
        return _to_inverse_depth(read(i), kind, f'{path}: map {names[i] if names else i}')

    return Images(str(path), count, names, load)


def _list_maps(folder: Path) -> list[Path]:
    files = list_files(folder, _SUFFIXES, below=True)
    if not files:
        raise FileNotFoundError(f'{folder} holds no file that ends in {", ".join(_SUFFIXES)}')
    return files


def _read_map(path: Path, key: str | None = None, none: int = 0) -> np.ndarray:
    if path.suffix.lower() == '.png':
        return read_depth_png(path, none=none)
    values = _read_array(path, key)[0].squeeze()
    if not is_map(values):
        found = f'{values.dtype} of shape {values.shape}'
        raise ValueError(f'{path}: expected one map (h, w) of numbers, got {found}')
    return values


def _read_array(path: Path, key: str | None) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """The array with maps of a .npy or .npz file, and what else is in it."""
    content = read_arrays(path, 'export it again')
    if '' in content:
        return content[''], {}
    maps = [name for name, values in content.items() if values.ndim >= 2]
    key = key or (maps[0] if len(maps) == 1 else None)
    if key not in content:
        names = shorten(list(content))
        raise ValueError(f'{path} has the arrays {names}: name that of the maps with --key')
    return content.pop(key), content


def _read_stack(path: Path, key: str | None) -> tuple[np.ndarray, Sequence[str]]:
    """Maps (N, h, w) and their names."""
    stack, others = _read_array(path, key)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3 or len(stack) == 0 or not is_map(stack[0]):
        found = f'{stack.shape} of {stack.dtype}'
        raise ValueError(f'{path}: expected maps of shape (N, h, w), got {found}')
    names = [str(name) for name in others.get('frames', np.empty(0)).flat]
    if len(names) not in (0, len(stack)):
        raise ValueError(f'{path}: {len(stack)} maps, but {len(names)} frame names')
    return stack, names


def _to_inverse_depth(values: np.ndarray, kind: str, what: str) -> np.ndarray:
    values = np.asarray(values, np.float32)
    if kind == 'depth':
        return invert(values)
    if kind == 'inv_depth':
        return values
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f'{what}: disp must lie in [0, 1], got {values.min():g}..{values.max():g}; other '
            'disparities are --kind inv_depth'
        )
    return 1 / 100 + (1 / 0.1 - 1 / 100) * values


def kitti_truth(
    data_root: str, split: str | None = None, drives: Sequence[str] | None = None, **options: Any
) -> Images:
    """Ground truth of KITTI raw: LiDAR scans, or the depth maps of the benchmark.

    `split` is a file with lines `date/drive frame side`; without one `drives` (`date/drive`) give
    their left frames. The options (`gt`, `improved_gt_root`, `depth_axis`) are `KITTIRawDataset`'s.
    """
    options |= dict(frame_ids=(0,), sides=('l', 'r') if split else ('l',), test_mode=True)
    dataset = KITTIRawDataset(data_root, split, drives=drives, **options)
    # the index alone: the ground truth is loaded one by one
    infos = (BaseDataset.get_data_info(dataset, i) for i in range(len(dataset)))
    names = [str(Path(info['frame_paths'][0]).with_suffix('')) for info in infos]

    def load(i: int) -> dict[str, Any]:
        info = dataset.get_data_info(i)
        return {key: info[key] for key in ('gt_depth', 'img_path', 'K_ori')}

    axis = f', depth axis {dataset.depth_axis}' if dataset.gt == 'velodyne' else ''
    # a split says which image is which, whatever the files are called
    in_order = split is not None or len(drives or ()) > 1
    return Images(f'{dataset.gt}{axis}', len(names), names, load, in_order)


def file_truth(path: Path) -> Images:
    """Ground truth of an .npz that `prepare_kitti_raw.py export-gt` wrote, or of a folder with
    16-bit PNGs (metres * 256, 0 where there is none), .npy or .npz maps in metres."""
    if path.is_dir():
        files = _list_maps(path)
        names = [str(file.relative_to(path).with_suffix('')) for file in files]
        loaders = dict(gt_depth=lambda i: _read_map(files[i], none=65535))
    else:
        stored = GroundTruthFile(path)
        names = stored.names
        loaders = dict(gt_depth=stored.depth, K_ori=stored.intrinsics)

    def load(i: int) -> dict[str, Any]:
        return dict(img_path=names[i], **{key: read(i) for key, read in loaders.items()})

    return Images(str(path), len(names), names, load)


def evaluate_predictions(
    preds: Images,
    truth: Images,
    metrics: Sequence[BaseMetric],
    conditions: Path | None = None,
    draw: Callable[[DepthDataSample], None] | None = None,
) -> dict[str, float]:
    """Judge predictions as those of an own model are judged. `conditions` is a file of lines `name
    condition [condition ...]`; `draw` gets every data sample."""
    try:
        places = match(truth.names, preds.count, preds.names, truth.in_order)
    except ValueError as error:
        raise ValueError(f'{preds.origin}: {error}') from None
    named = read_condition_file(conditions, truth.names) if conditions else {}
    origins = f'ground truth: {truth.origin}, {preds.count} predictions of {preds.origin}'
    print_log(origins, 'current')
    evaluator, shapes = Evaluator(metrics), ''
    for place, i in sorted(places.items()):
        info = truth.load(place)
        gt, inverse = np.array(info.pop('gt_depth'), np.float32), preds.load(i)
        if place in named:
            info['condition'] = named[place]
        sample = DepthDataSample(metainfo=dict(info, sample_idx=place, ori_shape=gt.shape))
        sizes = inverse.shape[::-1], gt.shape[::-1]
        if not shapes and other_aspect(*sizes):
            shapes = 'predictions are {}x{}, the truth is {}x{}'.format(*sizes[0], *sizes[1])
            mend = 'right if the input of the network was squeezed, wrong if it was cropped'
            print_log(f'{shapes}, another aspect ratio: {mend}', 'current', 30)
        depth = invert(resize_inverse_depth(inverse, gt.shape))
        fields = dict(gt_depth=gt, pred_inv_depth=inverse, pred_depth=depth)
        for name, values in fields.items():
            setattr(sample, name, PixelData(data=torch.from_numpy(values)[None]))
        try:
            evaluator.process([sample])
        except KeyError as error:  # what a metric or a reference needs and the truth lacks
            raise ValueError(error.args[0]) from error
        except ValueError as error:
            raise ValueError(f'{truth.origin}: {error}') from error
        if draw is not None:
            draw(sample)
    try:
        return evaluator.evaluate(len(places))
    except ValueError as error:
        raise ValueError(f'{truth.origin}: {error}') from error

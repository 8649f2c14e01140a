"""Predictions of others: reading them and their ground truth, and judging them."""

from __future__ import annotations

import zipfile
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

from mmscd.datasets.formats.images import read_depth_png
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.structures import DepthDataSample

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
        count: number of images.
        names: of the images, paths whose beginnings may lack; empty: their order says who is who.
        load: of an index: predictions give inverse depth float32 (h, w), ground truth a dict with
            `gt_depth` (H, W) metres, `img_path`, and `K_ori` where it is known.
        in_order: of ground truth: predictions follow it one by one, whatever they are called.
    """

    origin: str
    count: int
    names: Sequence[str]
    load: Callable[[int], Any]
    in_order: bool = False


def open_predictions(
    path: str | Path,
    kind: str,
    key: str | None = None,
    png_scale: float = 256.0,
    disp_range: tuple[float, float] = (0.1, 100.0),
) -> Images:
    """Predictions of a file or a folder.

    Args:
        path: .npy (N, h, w), .npz with such an array and perhaps `frames`, their names, or a
            folder, searched below, with a .npy, .npz or 16-bit .png per image.
        kind: what the numbers are, one of `KINDS`: 1 / depth up to scale, depth, or the sigmoid
            output in [0, 1] of a network.
        key: array of an .npz; None: the only one with maps.
        png_scale: values of a .png are divided by it.
        disp_range: depths that the disparities 1 and 0 stand for.

    Raises:
        FileNotFoundError, ValueError: there is nothing, or something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.is_dir():
        files = _list_maps(path)
        names: Sequence[str] = [str(file.relative_to(path)) for file in files]
        count, read = len(files), lambda i: _read_map(files[i], png_scale, key)
    else:
        stack, names = _read_stack(path, key)
        count, read = len(stack), lambda i: stack[i]
    return Images(str(path), count, names, lambda i: _to_inverse_depth(read(i), kind, disp_range))


def _list_maps(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.rglob('*') if p.suffix in _SUFFIXES and p.is_file())
    if not files:
        raise FileNotFoundError(f'{folder} holds no file that ends in {", ".join(_SUFFIXES)}')
    return files


def _read_map(path: Path, png_scale: float = 256.0, key: str | None = None) -> np.ndarray:
    """The one map (h, w) of a file."""
    if path.suffix == '.png':
        return read_depth_png(path, png_scale)
    values = _read_array(path, key)[0].squeeze()
    if values.ndim != 2:
        raise ValueError(f'{path}: expected one map (h, w), got the shape {values.shape}')
    return values


def _read_array(path: Path, key: str | None) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """The array with maps of a .npy or .npz file, and what else is in it."""
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content, {}
        content = dict(content)
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f'{path} cannot be read as numpy array: {error}') from None
    maps = [name for name, values in content.items() if values.ndim >= 2]
    key = key or (maps[0] if len(maps) == 1 else None)
    if key not in content:
        raise ValueError(f'{path} has the arrays {list(content)}: name that of the maps with --key')
    return content.pop(key), content


def _read_stack(path: Path, key: str | None) -> tuple[np.ndarray, Sequence[str]]:
    """Maps (N, h, w) and their names."""
    stack, others = _read_array(path, key)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3:
        raise ValueError(f'{path}: expected maps of shape (N, h, w), got {stack.shape}')
    names = [str(name) for name in others.get('frames', ())]
    if len(names) not in (0, len(stack)):
        raise ValueError(f'{path}: {len(stack)} maps, but {len(names)} frame names')
    return stack, names


def _to_inverse_depth(values: np.ndarray, kind: str, disp_range: tuple[float, float]) -> np.ndarray:
    values = np.asarray(values, np.float32)
    if kind == 'depth':
        return invert(values)
    if kind == 'inv_depth':
        return values
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f'disp must lie in [0, 1], got {values.min():g}..{values.max():g}; scaled '
            'disparities are --kind inv_depth'
        )
    near, far = disp_range
    return 1 / far + (1 / near - 1 / far) * values


def kitti_truth(
    data_root: str,
    split: str | None = None,
    drives: Sequence[str] | None = None,
    gt: str = 'velodyne',
    gt_root: str | None = None,
    depth_axis: str = 'camera_z',
) -> Images:
    """Ground truth of KITTI raw: LiDAR scans, or the depth maps of the benchmark.

    Args:
        data_root: holds the date folders.
        split: file with lines `date/drive frame side`.
        drives: `date/drive` each, without a split; of the left camera.
        gt, gt_root, depth_axis: see `KITTIRawDataset` (`improved_gt_root`).
    """
    dataset = KITTIRawDataset(
        data_root,
        split,
        frame_ids=(0,),
        drives=drives,
        sides=('l', 'r') if split else ('l',),
        gt=gt,
        depth_axis=depth_axis,
        improved_gt_root=gt_root,
        test_mode=True,
    )
    # the index alone: the ground truth is loaded one by one
    infos = (BaseDataset.get_data_info(dataset, i) for i in range(len(dataset)))
    names = [str(Path(info['frame_paths'][0]).with_suffix('')) for info in infos]

    def load(i: int) -> dict[str, Any]:
        info = dataset.get_data_info(i)
        return {key: info[key] for key in ('gt_depth', 'img_path', 'K_ori')}

    origin = f'{gt}, depth axis {depth_axis}' if gt == 'velodyne' else gt
    # a split says which image is which, whatever the files are called
    in_order = split is not None or len(drives or ()) > 1
    return Images(origin, len(names), names, load, in_order)


def file_truth(path: Path) -> Images:
    """Ground truth of a file that `prepare_kitti_raw.py export-gt` wrote, or of a folder.

    Args:
        path: .npz, or a folder with 16-bit PNGs (metres * 256, 0 where there is none), .npy or
            .npz maps in metres.
    """
    if path.is_dir():
        files = _list_maps(path)
        names = [str(file.relative_to(path).with_suffix('')) for file in files]
        loaders = dict(gt_depth=lambda i: _read_map(files[i]))
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
    """Judge predictions as those of an own model are judged.

    Args:
        preds: of `open_predictions`.
        truth: of `kitti_truth` or `file_truth`.
        metrics: what judges.
        conditions: text file of lines `name condition [condition ...]`.
        draw: gets every data sample.

    Raises:
        FileNotFoundError, ValueError: a file is missing or broken, or names do not fit.
    """
    places = match(truth.names, preds.count, () if truth.in_order else preds.names)
    named = read_condition_file(conditions, truth.names) if conditions else {}
    origins = f'ground truth: {truth.origin}, {preds.count} predictions of {preds.origin}'
    print_log(origins, 'current')
    evaluator = Evaluator(metrics)
    for place, i in sorted(places.items()):
        info = truth.load(place)
        gt, inverse = np.array(info.pop('gt_depth'), np.float32), preds.load(i)
        if place in named:
            info['condition'] = named[place]
        sample = DepthDataSample(metainfo=dict(info, sample_idx=place, ori_shape=gt.shape))
        depth = invert(resize_inverse_depth(inverse, gt.shape))
        fields = dict(gt_depth=gt, pred_inv_depth=inverse, pred_depth=depth)
        for name, values in fields.items():
            setattr(sample, name, PixelData(data=torch.from_numpy(values)[None]))
        try:
            evaluator.process([sample])
        except KeyError as error:  # what a metric or a reference needs and the truth lacks
            raise ValueError(error.args[0]) from error
        if draw is not None:
            draw(sample)
    return evaluator.evaluate(len(places))

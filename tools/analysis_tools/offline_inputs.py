"""What `offline_eval.py` reads: predictions, ground truth, and which belongs to which."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmscd.datasets.formats.images import read_depth_png
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.evaluation.functional import invert
from mmscd.evaluation.ground_truth_file import GroundTruthFile

KINDS = ('inv_depth', 'depth', 'disp')
_MAP_FILES = ('.npy', '.npz', '.png')


class KITTITruth:
    """KITTI raw: LiDAR scans, or the depth maps of the benchmark."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.dataset = KITTIRawDataset(
            args.data_root,
            args.split,
            frame_ids=(0,),
            drives=args.drive,
            sides=('l', 'r') if args.split else (args.side,),
            gt=args.gt,
            depth_axis=args.depth_axis,
            improved_gt_root=args.gt_root,
            test_mode=True,
        )
        # the index alone: the ground truth is loaded one by one
        infos = (BaseDataset.get_data_info(self.dataset, i) for i in range(len(self.dataset)))
        self.names = [str(Path(info['frame_paths'][0]).with_suffix('')) for info in infos]
        axis = f', depth axis {args.depth_axis}' if args.gt == 'velodyne' else ''
        self.description = f'{args.gt}{axis}'

    def load(self, i: int) -> dict[str, Any]:
        """`gt_depth` (H, W) metres, `img_path`, `K_ori`."""
        info = self.dataset.get_data_info(i)
        return {key: info[key] for key in ('gt_depth', 'img_path', 'K_ori')}


class FileTruth:
    """A file that `prepare_kitti_raw.py export-gt` wrote."""

    def __init__(self, path: Path) -> None:
        self.file = GroundTruthFile(path)
        self.names, self.description = self.file.names, str(path)

    def load(self, i: int) -> dict[str, Any]:
        """`gt_depth` (H, W) metres, `img_path` (the name), `K_ori`."""
        return dict(
            gt_depth=self.file.depth(i), img_path=self.names[i], K_ori=self.file.intrinsics(i)
        )


class FolderTruth:
    """A folder of 16-bit PNGs (depth * scale, 0 where there is none), or of .npy maps in metres."""

    def __init__(self, folder: Path, scale: float) -> None:
        self.files = list_maps(folder, ('.png', '.npy'))
        self.scale, self.description = scale, str(folder)
        self.names = [str(file.relative_to(folder).with_suffix('')) for file in self.files]

    def load(self, i: int) -> dict[str, Any]:
        """`gt_depth` (H, W) metres, `img_path` (the name)."""
        file = self.files[i]
        depth = load_array(file).squeeze() if file.suffix == '.npy' else None
        if depth is None:
            depth = read_depth_png(file, self.scale)
        elif depth.ndim != 2:
            raise ValueError(f'{file}: expected one map (H, W), got the shape {depth.shape}')
        return dict(gt_depth=depth.astype(np.float32), img_path=self.names[i])


def open_truth(args: argparse.Namespace) -> KITTITruth | FileTruth | FolderTruth:
    """The ground truth that the options name."""
    if args.gt_file is None:
        return KITTITruth(args)
    if args.gt_file.is_dir():
        return FolderTruth(args.gt_file, args.gt_scale)
    return FileTruth(args.gt_file)


def list_maps(folder: Path, suffixes: Sequence[str] = _MAP_FILES) -> list[Path]:
    """Files below a folder, in order.

    Raises:
        FileNotFoundError: there is none.
    """
    files = sorted(p for p in folder.rglob('*') if p.suffix in suffixes and p.is_file())
    if not files:
        raise FileNotFoundError(f'{folder} holds no file that ends in {", ".join(suffixes)}')
    return files


def load_array(path: Path) -> Any:
    """`np.load` without pickles.

    Raises:
        ValueError: the file is broken, empty, or holds objects; names it.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f'{path} cannot be read as numpy array: {error}') from None


def read_map(path: Path, args: argparse.Namespace) -> np.ndarray:
    """One prediction (h, w) of a folder."""
    if path.suffix == '.png':
        return read_depth_png(path, args.png_scale)
    values = read_arrays(path, args)[0].squeeze()
    if values.ndim != 2:
        raise ValueError(f'{path}: expected one map (h, w), got the shape {values.shape}')
    return values


def read_arrays(path: Path, args: argparse.Namespace) -> tuple[np.ndarray, list[str] | None]:
    """The predictions of a .npy or .npz file, and the names that come with them.

    Raises:
        ValueError: the file is broken, or which of its arrays is meant is unclear.
    """
    content = load_array(path)
    if isinstance(content, np.ndarray):
        return content, None
    maps = [key for key in content if content[key].ndim >= 2]
    key = args.key or (maps[0] if len(maps) == 1 else None)
    if key is None or key not in content:
        raise ValueError(f'{path} has the arrays {list(content)}: name that of the maps with --key')
    names = content[args.frames_key] if args.frames_key in content else None
    return content[key], None if names is None else [str(name) for name in names]


def read_predictions(args: argparse.Namespace) -> tuple[int, Callable, list[str] | None]:
    """Number of predictions, a function from their index to the map, and their names."""
    path = Path(args.pred)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.is_dir():
        files = list_maps(path)
        names = [str(file.relative_to(path)) for file in files]
        return len(files), lambda i: read_map(files[i], args), names
    stack, names = read_arrays(path, args)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3:
        raise ValueError(f'{path}: expected maps of shape (N, h, w), got {stack.shape}')
    if names is not None and len(names) != len(stack):
        raise ValueError(f'{path}: {len(stack)} maps, but {len(names)} frame names')
    return len(stack), lambda i: stack[i], names


def to_inverse_depth(values: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """Inverse depth float32 (h, w) of what PRED holds."""
    values = np.asarray(values, np.float32)
    if args.kind == 'depth':
        return invert(values)
    if args.kind == 'disp':
        if values.min() < 0 or values.max() > 1:
            raise ValueError(
                f'disp must lie in [0, 1], got {values.min():g}..{values.max():g}; scaled '
                'disparities are --kind inv_depth'
            )
        near, far = args.disp_range
        return 1 / far + (1 / near - 1 / far) * values
    return values


def match(truth_names: Sequence[str], count: int, names: Sequence[str] | None) -> dict[int, int]:
    """Index of the ground truth -> index of the prediction.

    Args:
        truth_names: of the ground truth, paths without suffix.
        count: number of predictions.
        names: of the predictions; None: they follow the ground truth one by one.

    Raises:
        ValueError: predictions without ground truth, or counts that do not fit.
    """
    if names is None:
        if count != len(truth_names):
            raise ValueError(
                f'{count} predictions, but {len(truth_names)} images are asked for; without names '
                'they must follow the split (or the frames of the drive) one by one'
            )
        return {i: i for i in range(count)}
    places = find_names(names, truth_names, 'predictions')
    if len(set(places)) < len(places):
        twice = next(name for i, name in enumerate(names) if places[i] in places[:i])
        raise ValueError(f'the prediction {twice!r} comes twice')
    return {place: i for i, place in enumerate(places)}


def find_names(names: Sequence[str], truth_names: Sequence[str], what: str) -> list[int]:
    """Place of each name among those of the ground truth.

    A name is known by its path without suffix, or the end of it that only one image has
    (`0000000090` where there is one drive, `drive/image_02/data/0000000090` where there are more).
    Leading zeros of frame numbers do not matter.

    Raises:
        ValueError: names those without an image.
    """
    ends: dict[tuple[str, ...], int | None] = {}
    for place, name in enumerate(truth_names):
        parts = _parts(name)
        for begin in range(len(parts)):
            ends[parts[begin:]] = None if parts[begin:] in ends else place
    places = [ends.get(_parts(str(Path(name).with_suffix('')))) for name in names]
    missing = [name for name, place in zip(names, places, strict=True) if place is None]
    if missing:
        raise ValueError(
            f'{len(missing)} of {len(names)} {what} have no image with ground truth, or their '
            f'names fit several: {missing[:3]}; expected names such as {truth_names[0]!r}, or the '
            'end of it'
        )
    return places


def _parts(name: str) -> tuple[str, ...]:
    *folders, stem = Path(name).parts
    return (*folders, stem.lstrip('0') or '0') if stem.isdigit() else (*folders, stem)


def read_conditions(path: Path, truth_names: Sequence[str]) -> dict[int, list[str]]:
    """Conditions by index of the ground truth, from lines `name condition [condition ...]`.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or a line cannot be used.
    """
    if not path.is_file():
        raise FileNotFoundError(f'conditions file {path} does not exist')
    lines = [line.split() for line in path.read_text(encoding='utf-8').splitlines()]
    for number, words in enumerate(lines, 1):
        if len(words) == 1:
            raise ValueError(f'{path}:{number}: expected `name condition`, got {words[0]!r}')
    lines = [words for words in lines if words]
    places = find_names([words[0] for words in lines], truth_names, f'names in {path}')
    return {place: words[1:] for place, words in zip(places, lines, strict=True)}

"""Evaluate anybody's depth predictions on KITTI with the metric that mmscd's own models get.

Examples::

    python tools/analysis_tools/offline_eval.py preds.npz --kind inv_depth --data-root data/kitti \
        --drive 2011_09_26/2011_09_26_drive_0013_sync
    python tools/analysis_tools/offline_eval.py disps.npy --kind inv_depth --data-root data/kitti \
        --split data/splits/eigen/test_files.txt --depth-axis velodyne_x --references

PRED is a .npy (N, h, w), a .npz with such an array, or a folder with one .npy, .npz or 16-bit .png
per image. With --drive alone predictions are matched by name: the npz array `--frames-key`, or the
names of the files in the folder. With --split they follow the lines of the split file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData

from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.evaluation import PROTOCOLS, DepthMetric
from mmscd.evaluation.functional import ALIGNMENTS, invert, resize_inverse_depth
from mmscd.structures.depth_data_sample import DepthDataSample

KINDS = ('inv_depth', 'depth', 'disp')
REFERENCES = [
    dict(type='constant'),
    dict(type='flat_road', camera_height=1.65, far_caps=(20, 30, 40, 80)),
]


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pred', help='.npy, .npz, or a folder of .npy, .npz or 16-bit .png')
    parser.add_argument(
        '--kind',
        choices=KINDS,
        required=True,
        help='inv_depth: 1 / depth up to scale; depth; disp: sigmoid output in [0, 1]',
    )
    parser.add_argument('--key', help='array of the .npz; default: the only one with maps')
    parser.add_argument('--frames-key', default='frames', help='npz array with frame names')
    parser.add_argument('--png-scale', type=float, default=256.0, help='divide .png values by it')
    parser.add_argument(
        '--disp-range',
        type=float,
        nargs=2,
        default=(0.1, 100.0),
        metavar=('MIN', 'MAX'),
        help='depths that disp 1 and 0 stand for',
    )
    parser.add_argument('--data-root', required=True, help='KITTI raw: holds the date folders')
    parser.add_argument('--split', help='split file with lines `date/drive frame side`')
    parser.add_argument('--drive', action='append', help='date/drive; repeat for several')
    parser.add_argument('--side', choices=('l', 'r'), default='l', help='camera without --split')
    parser.add_argument('--gt', choices=('velodyne', 'improved'), default='velodyne')
    parser.add_argument('--gt-root', help='folder of the improved ground truth')
    parser.add_argument('--depth-axis', choices=('camera_z', 'velodyne_x'), default='camera_z')
    add_metric_arguments(parser)
    args = parser.parse_args()
    if not args.split and not args.drive:
        parser.error('name the images with --split FILE or --drive DATE/DRIVE')
    return args


def add_metric_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the metric and of what is written."""
    parser.add_argument('--protocol', choices=sorted(PROTOCOLS), default='kitti_eigen')
    parser.add_argument('--alignment', choices=ALIGNMENTS, help="instead of the protocol's")
    parser.add_argument('--scale', type=float, help='factor of --alignment fixed')
    parser.add_argument('--min-depth', type=float, help="instead of the protocol's, metres")
    parser.add_argument('--max-depth', type=float, help="instead of the protocol's, metres")
    parser.add_argument('--references', action='store_true', help='add the naive predictors')
    parser.add_argument('--name', help='row in the table; default: the name of PRED')
    parser.add_argument('--out', help='.json or .csv with the metrics of every image')
    parser.add_argument('--show-dir', help='folder for a picture of every image')


def read_map(path: Path, args: argparse.Namespace) -> np.ndarray:
    """One prediction (h, w) of a folder."""
    if path.suffix == '.png':
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.ndim != 2 or image.dtype != np.uint16:
            raise ValueError(f'{path}: expected a readable 16-bit PNG with one channel')
        return image / args.png_scale
    return read_arrays(path, args)[0].squeeze()


def read_arrays(path: Path, args: argparse.Namespace) -> tuple[np.ndarray, list[str] | None]:
    """The predictions of a .npy or .npz file, and the frame names that come with them."""
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content, None
    maps = [key for key in content if content[key].ndim >= 2]
    key = args.key or (maps[0] if len(maps) == 1 else None)
    if key is None or key not in content:
        raise KeyError(f'{path} has the arrays {list(content)}: name that of the maps with --key')
    names = content[args.frames_key] if args.frames_key in content else None
    return content[key], None if names is None else [str(name) for name in names]


def read_predictions(args: argparse.Namespace) -> tuple[int, Callable, list[str] | None]:
    """Number of predictions, a function from their index to the map, and their names."""
    path = Path(args.pred)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in ('.npy', '.npz', '.png'))
        return len(files), lambda i: read_map(files[i], args), [p.name for p in files]
    stack, names = read_arrays(path, args)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3:
        raise ValueError(f'{path}: expected maps of shape (N, h, w), got {stack.shape}')
    if names is not None and len(names) != len(stack):
        raise ValueError(f'{path}: {len(stack)} maps, but {len(names)} frame names')
    return len(stack), lambda i: stack[i], names


def match(dataset: KITTIRawDataset, count: int, names: list[str] | None, by_name: bool) -> dict:
    """Index in the data set -> index of the prediction.

    Raises:
        ValueError: predictions without an image, or counts that do not fit.
    """
    frames = [dataset.get_data_info(i)['frame'] for i in range(len(dataset))]
    if by_name and names is not None:
        places = {frame: i for i, frame in enumerate(frames)}
        stems = [Path(name).stem for name in names]
        missing = [s for s in stems if not s.isdigit() or int(s) not in places]
        if missing or len(set(stems)) < len(stems):
            raise ValueError(
                f'{len(missing)} of {count} predictions have no image with ground truth, or names '
                f'come twice: {missing[:3]}; expected frame numbers such as {frames[0]:010d}'
            )
        return {places[int(stem)]: i for i, stem in enumerate(stems)}
    if count != len(dataset):
        raise ValueError(
            f'{count} predictions, but {len(dataset)} images are asked for; without names they '
            'must follow the split (or the frames of the drive) one by one'
        )
    return {i: i for i in range(count)}


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


def make_samples(
    dataset: KITTIRawDataset, places: dict, load: Callable, args: argparse.Namespace
) -> Iterator[DepthDataSample]:
    """One data sample per prediction, as a model would return it."""
    for place, i in sorted(places.items()):
        info = dataset.get_data_info(place)
        gt = info['gt_depth']
        keys = ('sample_idx', 'img_path', 'K_ori')
        sample = DepthDataSample(metainfo={key: info[key] for key in keys})
        sample.set_metainfo(dict(ori_shape=tuple(gt.shape)))
        inverse = to_inverse_depth(load(i), args)
        full = invert(resize_inverse_depth(inverse, gt.shape))
        sample.gt_depth = PixelData(data=torch.from_numpy(np.array(gt, np.float32))[None])
        sample.pred_inv_depth = PixelData(data=torch.from_numpy(inverse)[None])
        sample.pred_depth = PixelData(data=torch.from_numpy(full)[None])
        yield sample


def main() -> None:
    """Evaluate, print the table, write what is asked for."""
    args = parse_args()
    logger = MMLogger.get_instance('mmscd', logger_name='mmscd')
    dataset = KITTIRawDataset(
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
    count, load, names = read_predictions(args)
    by_name = not args.split and len(args.drive) == 1
    places = match(dataset, count, names, by_name)
    metric = DepthMetric(
        args.protocol,
        alignment=args.alignment,
        scale=args.scale,
        min_depth=args.min_depth,
        max_depth=args.max_depth,
        references=REFERENCES if args.references else (),
        model_name=args.name or Path(args.pred).stem,
        per_image_path=args.out,
    )
    axis = f', depth axis {args.depth_axis}' if args.gt == 'velodyne' else ''
    logger.info(f'ground truth: {args.gt}{axis}, {count} predictions of {args.pred}')
    evaluator = Evaluator(metric)
    draw = make_drawer(args, metric)
    for sample in make_samples(dataset, places, load, args):
        evaluator.process([sample])
        draw(sample)
    evaluator.evaluate(len(places))


def make_drawer(args: argparse.Namespace, metric: DepthMetric) -> Callable:
    """What to do with each sample for --show-dir."""
    if args.show_dir is None:
        return lambda sample: None
    from mmscd.engine.hooks.depth_visualization_hook import picture_name
    from mmscd.visualization import DepthVisualizer, read_image

    visualizer = DepthVisualizer('offline_eval', protocol=metric.protocol)

    def draw(sample: DepthDataSample) -> None:
        name = picture_name(sample)
        file = Path(args.show_dir) / f'{name}.jpg'
        visualizer.add_datasample(name, read_image(sample.img_path), sample, out_file=file)

    return draw


if __name__ == '__main__':
    main()

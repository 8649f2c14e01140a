"""Evaluate anybody's depth predictions on KITTI with the metric that mmscd's own models get.

Examples::

    python tools/analysis_tools/offline_eval.py preds.npz --kind inv_depth --data-root data/kitti \
        --drive 2011_09_26/2011_09_26_drive_0013_sync
    python tools/analysis_tools/offline_eval.py preds/ --kind depth --gt-file gt.npz --bootstrap
    python tools/analysis_tools/offline_eval.py disps.npy --kind inv_depth --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --depth-axis velodyne_x --references

PRED is a .npy (N, h, w), a .npz with such an array, or a folder (searched below) with a .npy, .npz
or 16-bit .png per image. Ground truth is that of KITTI raw (--data-root with --drive or --split), a
file of `prepare_kitti_raw.py export-gt`, or a folder of 16-bit PNGs or .npy maps (--gt-file).
Predictions with names (files of a folder, the npz array `--frames-key`) are matched by name; those
for a --split or several drives follow their order. --bootstrap adds confidence intervals,
--conditions a row per condition, --edges the errors at depth edges (dense ground truth only).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from offline_inputs import (
    KINDS,
    match,
    open_truth,
    read_conditions,
    read_predictions,
    to_inverse_depth,
)

from mmscd.evaluation import PROTOCOLS, DepthMetric, EdgeMetric
from mmscd.evaluation.functional import ALIGNMENTS, invert, resize_inverse_depth
from mmscd.structures.depth_data_sample import DepthDataSample
from mmscd.utils.command_line import check_writable

REFERENCES = [
    dict(type='constant'),
    dict(type='flat_road', camera_height=1.65, far_caps=(20, 30, 40, 80)),
]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
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
    parser.add_argument('--data-root', help='KITTI raw: holds the date folders')
    parser.add_argument('--split', help='split file with lines `date/drive frame side`')
    parser.add_argument('--drive', action='append', help='date/drive; repeat for several')
    parser.add_argument('--side', choices=('l', 'r'), default='l', help='camera without --split')
    parser.add_argument('--gt', choices=('velodyne', 'improved'), default='velodyne')
    parser.add_argument('--gt-root', help='folder of the improved ground truth')
    parser.add_argument('--depth-axis', choices=('camera_z', 'velodyne_x'), default='camera_z')
    parser.add_argument(
        '--gt-file', type=Path, help='exported .npz, or folder of depth maps, instead of KITTI raw'
    )
    parser.add_argument('--gt-scale', type=float, default=256.0, help='of PNGs in that folder')
    parser.add_argument('--conditions', type=Path, help='text file of lines `name condition`')
    add_metric_arguments(parser)
    args = parser.parse_args(argv)
    if args.gt_file is None and not (args.data_root and (args.split or args.drive)):
        parser.error(
            'name the ground truth: --data-root with --split FILE or --drive DATE/DRIVE, or '
            '--gt-file'
        )
    return args


def add_metric_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the metric and of what is written."""
    parser.add_argument('--protocol', choices=sorted(PROTOCOLS), default='kitti_eigen')
    parser.add_argument('--alignment', choices=ALIGNMENTS, help="instead of the protocol's")
    parser.add_argument('--scale', type=float, help='factor of --alignment fixed')
    parser.add_argument('--min-depth', type=float, help="instead of the protocol's, metres")
    parser.add_argument('--max-depth', type=float, help="instead of the protocol's, metres")
    parser.add_argument(
        '--bootstrap',
        type=int,
        nargs='?',
        const=2000,
        metavar='N',
        help='95 %% confidence intervals from N resamples of the images (default 2000)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the resamples')
    parser.add_argument('--edges', action='store_true', help='errors at depth edges as well')
    parser.add_argument('--references', action='store_true', help='add the naive predictors')
    parser.add_argument('--name', help='row in the table; default: the name of PRED')
    parser.add_argument('--out', help='.json or .csv with the metrics of every image')
    parser.add_argument('--table', help='.json with the rows of the table')
    parser.add_argument('--show-dir', help='folder for a picture of every image')


def make_samples(args: argparse.Namespace) -> Iterator[DepthDataSample]:
    """One data sample per prediction, as a model would return it."""
    truth = open_truth(args)
    count, load, names = read_predictions(args)
    # a split says which image is which, whatever the files are called
    ordered = args.gt_file is None and (args.split or len(args.drive) > 1)
    places = match(truth.names, count, None if ordered else names)
    conditions = read_conditions(args.conditions, truth.names) if args.conditions else {}
    logger = MMLogger.get_current_instance()
    logger.info(f'ground truth: {truth.description}, {count} predictions of {args.pred}')
    for place, i in sorted(places.items()):
        info = truth.load(place)
        gt = info.pop('gt_depth')
        sample = DepthDataSample(metainfo=dict(info, sample_idx=place, ori_shape=tuple(gt.shape)))
        if place in conditions:
            sample.set_metainfo(dict(condition=conditions[place]))
        inverse = to_inverse_depth(load(i), args)
        full = invert(resize_inverse_depth(inverse, gt.shape))
        sample.gt_depth = PixelData(data=torch.from_numpy(np.array(gt, np.float32))[None])
        sample.pred_inv_depth = PixelData(data=torch.from_numpy(inverse)[None])
        sample.pred_depth = PixelData(data=torch.from_numpy(full)[None])
        yield sample


def make_metrics(args: argparse.Namespace) -> list[DepthMetric | EdgeMetric]:
    """What judges the samples."""
    protocol = dict(
        preset=args.protocol,
        alignment=args.alignment,
        scale=args.scale,
        min_depth=args.min_depth,
        max_depth=args.max_depth,
    )
    metrics = [
        DepthMetric(
            protocol,
            references=REFERENCES if args.references else (),
            bootstrap=args.bootstrap and dict(num_resamples=args.bootstrap, seed=args.seed),
            model_name=args.name or Path(args.pred).stem,
            per_image_path=args.out,
            table_path=args.table,
        )
    ]
    return [*metrics, EdgeMetric(protocol)] if args.edges else metrics


def run(args: argparse.Namespace) -> dict[str, float]:
    """Evaluate, print the table, write what is asked for."""
    MMLogger.get_instance('mmscd', logger_name='mmscd')
    metrics = make_metrics(args)
    # now, and not after the last image
    for file in filter(None, (args.out, args.table)):
        check_writable(Path(file).parent)
    evaluator = Evaluator(metrics)
    draw = make_drawer(args, metrics[0])
    count = 0
    for sample in make_samples(args):
        evaluator.process([sample])
        draw(sample)
        count += 1
    return evaluator.evaluate(count)


def make_drawer(args: argparse.Namespace, metric: DepthMetric) -> Callable:
    """What to do with each sample for --show-dir."""
    if args.show_dir is None:
        return lambda sample: None
    check_writable(args.show_dir)
    from mmscd.engine.hooks.depth_visualization_hook import picture_name
    from mmscd.visualization import DepthVisualizer, read_image

    visualizer = DepthVisualizer('offline_eval', protocol=metric.protocol)

    def draw(sample: DepthDataSample) -> None:
        name = picture_name(sample)
        file = Path(args.show_dir) / f'{name}.jpg'
        visualizer.add_datasample(name, read_image(sample.img_path), sample, out_file=file)

    return draw


def main(argv: list[str] | None = None) -> None:
    """Run; what the user can mend is one sentence, not a traceback."""
    args = parse_args(argv)
    try:
        run(args)
    except (OSError, ValueError, KeyError) as error:
        if os.environ.get('MMSCD_TRACEBACK'):
            raise
        sys.exit(f'error: {error.args[0] if isinstance(error, KeyError) else error}')


if __name__ == '__main__':
    main()

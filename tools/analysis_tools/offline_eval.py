"""Evaluate anybody's depth predictions on KITTI with the metric that mmscd's own models get.

Examples::

    python tools/analysis_tools/offline_eval.py preds.npz --kind inv_depth --data-root data/kitti \
        --drive 2011_09_26/2011_09_26_drive_0013_sync
    python tools/analysis_tools/offline_eval.py preds/ --kind depth --gt-file gt.npz --bootstrap
    python tools/analysis_tools/offline_eval.py disps.npy --kind inv_depth --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --depth-axis velodyne_x --references

PRED is a .npy (N, h, w), a .npz with such an array, or a folder (searched below) with a .npy, .npz
or 16-bit .png per image. It holds 1 / depth, depth, or disp, a sigmoid output in [0, 1]. Ground
truth is that of KITTI raw (--data-root with --drive or --split), a file of `prepare_kitti_raw.py
export-gt`, or a folder of 16-bit PNGs or .npy maps (--gt-file). Predictions with names (files of a
folder, the npz array `frames`) are matched by name; for a --split or several drives those that are
mere numbers follow its order. --bootstrap adds confidence intervals, --conditions a row per
condition, --edges the errors at depth edges (dense ground truth only).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import MMLogger

from mmscd.evaluation import PROTOCOLS, DepthMetric, DepthProtocol, EdgeMetric, get_protocol
from mmscd.evaluation import offline as off
from mmscd.evaluation.functional import ALIGNMENTS
from mmscd.utils.command_line import make_parser, output_folder, run_tool

REFERENCES = [
    dict(type='constant'),
    dict(type='flat_road', camera_height=1.65, far_caps=(20, 30, 40, 80)),
]


def run(args: argparse.Namespace) -> dict[str, float]:
    """Evaluate, print the table, write what is asked for."""
    MMLogger.get_instance('mmscd', logger_name='mmscd')
    changes = {key: getattr(args, key) for key in ('alignment', 'scale', 'min_depth', 'max_depth')}
    protocol = get_protocol(dict(preset=args.protocol, **changes))
    references = REFERENCES if args.references else ()
    name = args.name or Path(args.pred).stem
    outputs = dict(model_name=name, per_image_path=args.out, table_path=args.table)
    metrics = [DepthMetric(protocol, references, args.bootstrap, **outputs)]
    metrics += [EdgeMetric(protocol)] if args.edges else []
    draw = make_drawer(args.show_dir, protocol) if args.show_dir else None
    if args.gt_file is not None:
        truth = off.file_truth(args.gt_file)
    elif args.data_root and (args.split or args.drive):
        options = dict(gt=args.gt, improved_gt_root=args.gt_root, depth_axis=args.depth_axis)
        truth = off.kitti_truth(args.data_root, args.split, args.drive, **options)
    else:
        raise ValueError('name the ground truth: --gt-file, or --data-root with --split or --drive')
    preds = off.open_predictions(args.pred, args.kind, args.key)
    return off.evaluate_predictions(preds, truth, metrics, args.conditions, draw)


def make_drawer(folder: Path, protocol: DepthProtocol) -> Callable:
    """What draws a sample into a folder."""
    from mmscd.engine.hooks.depth_visualization_hook import picture_name
    from mmscd.visualization import DepthVisualizer, read_image

    visualizer = DepthVisualizer('offline_eval', protocol=protocol)

    def draw(sample) -> None:
        name = picture_name(sample)
        image = read_image(sample.img_path)
        visualizer.add_datasample(name, image, sample, out_file=folder / f'{name}.jpg')

    return draw


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """The command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('pred', help='.npy, .npz, or a folder of .npy, .npz or 16-bit .png')
    add('--kind', choices=off.KINDS, required=True, help='what PRED holds; inv_depth: up to scale')
    add('--key', help='array of the .npz; default: the only one with maps')
    add('--data-root', help='KITTI raw: holds the date folders')
    add('--split', help='split file with lines `date/drive frame side`')
    add('--drive', action='append', help='date/drive; repeat for several')
    add('--gt', choices=('velodyne', 'improved'), default='velodyne')
    add('--gt-root', help='folder of the improved ground truth')
    add('--depth-axis', choices=('camera_z', 'velodyne_x'), default='camera_z')
    add('--gt-file', type=Path, help='exported .npz, or folder of depth maps, not KITTI raw')
    add('--conditions', type=Path, help='text file of lines `name condition`')
    add('--protocol', choices=sorted(PROTOCOLS), default='kitti_eigen')
    add('--alignment', choices=ALIGNMENTS, help="instead of the protocol's")
    add('--scale', type=float, help='factor of --alignment fixed')
    add('--min-depth', type=float, help="instead of the protocol's, metres")
    add('--max-depth', type=float, help="instead of the protocol's, metres")
    add('--bootstrap', type=int, nargs='?', const=2000, help='intervals from so many resamples')
    add('--edges', action='store_true', help='errors at depth edges as well')
    add('--references', action='store_true', help='add the naive predictors')
    add('--name', help='row in the table; default: the name of PRED')
    add('--out', help='.json or .csv with the metrics of every image')
    add('--table', help='.json with the rows of the table')
    add('--show-dir', type=output_folder, help='folder for a picture of every image')
    return run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

"""Prepare KITTI raw: unpack, export ground truth, cache images at the network's size.

Examples::

    python tools/dataset_converters/prepare_kitti_raw.py unpack downloads/ --out data/kitti
    python tools/dataset_converters/prepare_kitti_raw.py export-gt --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --out data/kitti_gt/eigen_test.npz
    python tools/dataset_converters/prepare_kitti_raw.py cache --data-root data/kitti \
        --split data/splits/kitti/eigen_zhou/train_files.txt --size 640x192 --out data/kitti_640x192

Sources are only read. Every file appears whole, by a rename; an interrupted command goes on where
it stopped when it is given again. The archives come from the site of KITTI (raw data: `*_sync.zip`
and `*_calib.zip` per drive and date; `data_depth_annotated.zip` for the improved ground truth).

- unpack: colour images, LiDAR, oxts and calibration (`--parts` for others). `--jpeg 95` stores
  images as JPEG of that quality. `tools/misc/verify_dataset.py` checks what comes out.
- export-gt: one .npz (`mmscd/evaluation/ground_truth_file.py` reads it; so does `offline_eval.py
  --gt-file`), or a folder of 16-bit PNGs in the layout of the improved ground truth
  (`KITTIRawDataset(gt='improved', improved_gt_root=...)` reads it; rounded to 1/256 m).
- cache: a KITTI raw tree of resized images with calibration scaled along: train with it as
  `data_root`. For training only, at exactly this size, and without `RandomZoom`, which would
  enlarge small images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.frames import parse_frame_id
from mmscd.datasets.preparation.archives import DEFAULT_PARTS, PARTS, unpack
from mmscd.datasets.preparation.cache import CacheSettings, build_cache, list_frames
from mmscd.evaluation.ground_truth_export import export_ground_truth
from mmscd.utils.command_line import (
    make_parser,
    output_folder,
    parse_size,
    run_tool,
)

QUALITY = dict(type=int, choices=range(1, 101), metavar='1..100')


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the three commands."""
    parser = make_parser(__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('unpack', help='archives to a tree')
    one.add_argument('archives', type=Path, nargs='+', help='.zip files, or folders with them')
    one.add_argument('--out', type=output_folder, required=True, help='root of the tree')
    one.add_argument('--parts', nargs='+', choices=PARTS, default=DEFAULT_PARTS)
    one.add_argument('--jpeg', **QUALITY, help='store images as JPEG')
    one.set_defaults(run=run_unpack)
    one = commands.add_parser('export-gt', help='ground truth of a split')
    one.add_argument('--data-root', type=Path, required=True)
    one.add_argument('--split', help='file with lines `date/drive frame side`')
    one.add_argument('--drive', action='append', help='date/drive: all of it, or of its lines')
    one.add_argument('--out', type=Path, required=True, help='.npz file, or folder for PNGs')
    one.add_argument('--gt', choices=('velodyne', 'improved'), default='velodyne')
    one.add_argument('--gt-root', help='folder of the improved ground truth')
    one.add_argument('--depth-axis', choices=('camera_z', 'velodyne_x'), default='camera_z')
    one.add_argument('--cache-dir', help='keep projected scans here, so that a .npz goes on too')
    one.set_defaults(run=run_export)
    one = commands.add_parser('cache', help='images at the size of the network')
    one.add_argument('--data-root', type=Path, required=True)
    one.add_argument('--split', type=Path, action='append', default=[], help='repeatable')
    one.add_argument('--drive', action='append', help='these drives only; repeatable')
    one.add_argument(
        '--frame-ids', nargs='+', type=parse_frame_id, default=[0, -1, 1], help='e.g. 0 s'
    )
    one.add_argument('--size', type=parse_size, required=True, help='WIDTHxHEIGHT, e.g. 640x192')
    one.add_argument('--format', choices=('jpg', 'png'), default='jpg')
    one.add_argument('--quality', default=95, **QUALITY, help='of JPEGs')
    one.add_argument('--workers', type=int, default=1, help='processes')
    one.add_argument('--out', type=output_folder, required=True, help='root of the cache')
    one.set_defaults(run=run_cache)
    return parser


def run_unpack(args: argparse.Namespace) -> None:
    """Archives to a tree."""
    written, there = unpack(args.archives, args.out, args.parts, args.jpeg)
    print(f'{written} files written to {args.out}, {there} were there already')


def run_export(args: argparse.Namespace) -> None:
    """Ground truth to a file or folder."""
    dataset = KITTIRawDataset(
        str(args.data_root),
        args.split,
        frame_ids=(0,),
        drives=args.drive,
        sides=('l', 'r') if args.split else ('l',),
        gt=args.gt,
        depth_axis=args.depth_axis,
        improved_gt_root=args.gt_root,
        gt_cache_dir=args.cache_dir,
        test_mode=True,
    )
    count = export_ground_truth(dataset, args.out)
    print(f'ground truth of {count} images in {args.out} ({args.gt}, {args.depth_axis})')


def run_cache(args: argparse.Namespace) -> None:
    """Write the cache."""
    settings = CacheSettings(args.size, args.format, args.quality)
    paths = list_frames(args.data_root, args.split, args.frame_ids, args.drive)
    written = build_cache(paths, args.data_root, args.out, settings, args.workers)
    print(f'{written} images written to {args.out}, {len(paths) - written} were there already')


def run(args: argparse.Namespace) -> int | None:
    """Do what the command says."""
    try:
        return args.run(args)
    except KeyboardInterrupt:
        print('interrupted: the same command goes on', file=sys.stderr)
        return 130


def main(argv: Sequence[str] | None = None) -> int | None:
    """Command line; returns the exit status."""
    cv2.setNumThreads(0)
    return run_tool(build_parser(), run, argv)


if __name__ == '__main__':
    sys.exit(main())

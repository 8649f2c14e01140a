"""Prepare KITTI raw: unpack and check, export ground truth, cache images at the network's size.

Examples::

    python tools/dataset_converters/prepare_kitti_raw.py unpack downloads/ --out data/kitti
    python tools/dataset_converters/prepare_kitti_raw.py check --data-root data/kitti
    python tools/dataset_converters/prepare_kitti_raw.py export-gt --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --out data/kitti_gt/eigen_test.npz
    python tools/dataset_converters/prepare_kitti_raw.py cache --data-root data/kitti \
        --split data/splits/kitti/eigen_zhou/train_files.txt --size 640x192 --out data/kitti_640x192

Sources are only read. Every file appears whole, by a rename; an interrupted command goes on where
it stopped when it is given again. The archives come from the site of KITTI (raw data: `*_sync.zip`
and `*_calib.zip` per drive and date; `data_depth_annotated.zip` for the improved ground truth).

- unpack: colour images, LiDAR, oxts and calibration (`--parts` for others), then `check`.
  `--jpeg 95` stores images as JPEG of that quality.
- check: calibration, number of files per drive, missing and empty ones.
- export-gt: one .npz (`mmscd/evaluation/ground_truth_file.py` reads it; so does `offline_eval.py
  --gt-file`), or a folder of 16-bit PNGs in the layout of the improved ground truth
  (`KITTIRawDataset(gt='improved', improved_gt_root=...)` reads it; rounded to 1/256 m).
- cache: a KITTI raw tree of resized images with calibration scaled along: train with it as
  `data_root`. For training only, at exactly this size, and without `RandomZoom`, which would
  enlarge small images. It ends with a measurement of what it brings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from kitti_archives import (
    DEFAULT_PARTS,
    PARTS,
    Progress,
    check_tree,
    find_archives,
    list_jobs,
    unpack,
    write_renamed,
)
from kitti_cache import build, check_settings, list_frames, measure, write_calibrations
from terminaltables import AsciiTable

from mmscd.datasets.formats.kitti_calibration import CAMERAS
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.evaluation.ground_truth_file import write_ground_truth
from mmscd.utils.command_line import check_writable, parse_size


def _size(text: str) -> tuple[int, int]:
    return parse_size(text.lower())


def _quality(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f'JPEG quality is a number from 1 to 100, got {text!r}')
    return int(text)


def _frame_id(text: str) -> int | str:
    return text if text == 's' else int(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('unpack', help='archives to a checked tree')
    one.add_argument('archives', type=Path, nargs='+', help='.zip files, or folders with them')
    one.add_argument('--out', type=Path, required=True, help='root of the tree')
    one.add_argument('--parts', nargs='+', choices=PARTS, default=DEFAULT_PARTS)
    one.add_argument('--jpeg', type=_quality, metavar='QUALITY', help='store images as JPEG')
    one = commands.add_parser('check', help='check a tree')
    one.add_argument('--data-root', type=Path, required=True)
    one = commands.add_parser('export-gt', help='ground truth of a split')
    one.add_argument('--data-root', type=Path, required=True)
    one.add_argument('--split', help='file with lines `date/drive frame side`')
    one.add_argument('--drive', action='append', help='all frames of date/drive that have depth')
    one.add_argument('--out', type=Path, required=True, help='.npz file, or folder for PNGs')
    one.add_argument('--gt', choices=('velodyne', 'improved'), default='velodyne')
    one.add_argument('--gt-root', help='folder of the improved ground truth')
    one.add_argument('--depth-axis', choices=('camera_z', 'velodyne_x'), default='camera_z')
    one.add_argument('--cache-dir', help='keep projected scans here, so that a .npz goes on too')
    one = commands.add_parser('cache', help='images at the size of the network')
    one.add_argument('--data-root', type=Path, required=True)
    one.add_argument('--split', type=Path, action='append', default=[], help='repeatable')
    one.add_argument('--drive', action='append', help='these drives only; repeatable')
    one.add_argument('--frame-ids', nargs='+', type=_frame_id, default=[0, -1, 1], help='e.g. 0 s')
    one.add_argument('--size', type=_size, required=True, help='WIDTHxHEIGHT, e.g. 640x192')
    one.add_argument('--format', choices=('jpg', 'png'), default='jpg')
    one.add_argument('--quality', type=_quality, default=95, help='of JPEGs')
    one.add_argument('--workers', type=int, default=1, help='processes')
    one.add_argument('--out', type=Path, required=True, help='root of the cache')
    args = parser.parse_args(argv)
    if args.command == 'export-gt' and not (args.split or args.drive):
        parser.error('name the images with --split FILE or --drive DATE/DRIVE')
    return args


def run_unpack(args: argparse.Namespace) -> int:
    """Unpack and check."""
    check_writable(args.out)
    jobs = list_jobs(find_archives(args.archives), args.out, args.parts, args.jpeg)
    written = unpack(jobs, args.jpeg)
    print(f'{written} files written to {args.out}, {len(jobs) - written} were there already')
    return run_check(args.out)


def run_check(root: Path) -> int:
    """Print the counts and the problems; 1 where there are any."""
    rows, problems = check_tree(root)
    if rows:
        head = ['date', 'drive', 'left', 'right', 'LiDAR']
        print(AsciiTable([head, *rows]).table)
    print('\n'.join(f'problem: {problem}' for problem in problems) or 'no problem found')
    return 1 if problems else 0


def run_export(args: argparse.Namespace) -> int:
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
    if args.out.suffix == '.npz':
        check_writable(args.out.parent)
        count = write_ground_truth(args.out, _maps(dataset))
    else:
        check_writable(args.out)
        count = export_pngs(dataset, args.out)
    print(f'ground truth of {count} images in {args.out} ({args.gt}, {args.depth_axis})')
    return 0


def _maps(dataset: KITTIRawDataset) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    progress = Progress(len(dataset), 'images')
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        image = Path(info['img_path']).relative_to(dataset.data_root).with_suffix('')
        yield image.as_posix(), info['gt_depth'], info['K_ori']
        progress.step(1)


def export_pngs(dataset: KITTIRawDataset, out: Path) -> int:
    """16-bit PNGs, depth * 256; what is there is kept."""
    progress = Progress(len(dataset), 'images')
    with_gt, dataset.with_gt = dataset.with_gt, False
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        folder = out / info['date'] / info['drive'] / 'proj_depth/groundtruth'
        target = folder / f'image_{CAMERAS[info["side"]]}' / f'{info["frame"]:010d}.png'
        exists = target.is_file()
        if not exists:
            depth = dataset.load_gt_depth(info)
            # what is known stays known: 0 stands for nothing
            stored = np.where(depth > 0, np.clip(np.round(depth * 256), 1, 65535), 0)
            write_renamed(target, cv2.imencode('.png', stored.astype(np.uint16))[1].tobytes())
        progress.step(1, skipped=exists)
    dataset.with_gt = with_gt
    return len(dataset)


def run_cache(args: argparse.Namespace) -> int:
    """Write the cache and say what it brings."""
    check_writable(args.out)
    # JSON has no tuples
    settings = dict(size=list(args.size), format=args.format, quality=args.quality)
    check_settings(args.out, args.data_root, settings)
    paths = list_frames(args.data_root, args.split, tuple(args.frame_ids), args.drive)
    write_calibrations(args.data_root, args.out, paths, args.size)
    written = build(
        paths, args.data_root, args.out, args.size, args.format, args.quality, args.workers
    )
    print(f'{written} images written to {args.out}, {len(paths) - written} were there already')
    cost = measure(paths, args.data_root, args.out, args.size, args.format)
    print(
        f'loading one frame at {args.size[0]}x{args.size[1]}, one process, processor time:\n'
        f'  original, full decode     {cost["full"]:6.2f} ms  ({cost["kb_original"]:.0f} kB)\n'
        f'  original, reduced decode  {cost["reduced"]:6.2f} ms\n'
        f'  cache                     {cost["cached"]:6.2f} ms  ({cost["kb_cached"]:.0f} kB): '
        f'{cost["full"] / cost["cached"]:.1f} and {cost["reduced"] / cost["cached"]:.1f} times '
        'as fast'
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    args = parse_args(argv)
    cv2.setNumThreads(0)
    run = {
        'unpack': run_unpack,
        'check': lambda args: run_check(args.data_root),
        'export-gt': run_export,
        'cache': run_cache,
    }
    try:
        return run[args.command](args)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted: the same command goes on', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())

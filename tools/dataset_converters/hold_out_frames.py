"""Hold frames out of training and give them sparse depth, for choosing without LiDAR.

Example::

    python tools/dataset_converters/hold_out_frames.py data/kitti data/held_out \
        --train 2011_09_26_drive_0095_sync 2011_09_26_drive_9001_sync \
        --drive 2011_09_26_drive_0095_sync --frames 60
    python tools/analysis_tools/run_ablation.py --work-dir work_dirs/choice --seeds 0 --amp \
        --options $(cat data/held_out/options.txt) --variant ... --variant ...

With a --drive that is not one of --train nothing of it is trained on: a street the network has not
seen, which the end of a drive is not.

Corners of the held-out frames are triangulated with the frame before and the one after (see
`mmscd.video.triangulation`): a few hundred points a frame, up to scale, which median scaling of
the evaluation takes out. OUT gets `train_files.txt`, `val_files.txt`, the depth as 16-bit PNGs in
the layout of KITTI's depth benchmark, and `options.txt`, the overrides of a config over
`KITTIRawDataset`. With --check the drive has LiDAR, and how far the points are from it is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.formats.images import decode_rgb, read_bytes
from mmscd.utils.files import atomic_write
from mmscd.utils.progress import track
from mmscd.video.triangulation import draw_depth, triangulate_frame

MIN_POINTS = 50
MAX_DEPTH = 250.0  # what 16 bits of 1/256 m can hold


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data_root', type=Path, help='KITTI raw')
    parser.add_argument('out', type=Path)
    parser.add_argument('--train', nargs='+', required=True, help='drives to train on')
    parser.add_argument(
        '--drive',
        required=True,
        help='whose last frames are held out; if not in --train, all else of it too',
    )
    parser.add_argument('--frames', type=int, default=60, help='judge on its last ones, so many')
    parser.add_argument('--gap', type=int, default=10, help='frames before them, in neither part')
    parser.add_argument('--check', action='store_true', help='compare with LiDAR')
    args = parser.parse_args(argv)
    if args.frames < 1 or args.gap < 1:
        parser.error(f'--frames and --gap must be at least 1, got {args.frames} and {args.gap}')
    return args


def split(
    dataset: KITTIRawDataset, train: list[str], drive: str, frames: int, gap: int
) -> tuple[list, list]:
    """Samples of the drives `train` to train on, and the last ones of `drive`.

    Raises:
        ValueError: nothing of the drive would be left to train on.
    """
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    own = [info for info in infos if info['drive'] == drive]
    rest = [info for info in infos if info['drive'] != drive]
    if drive not in train:
        return rest, own[-frames:]
    if len(own) <= frames + gap:
        raise ValueError(
            f'{drive} has {len(own)} frames with both neighbours, too few to hold {frames} out '
            f'with a gap of {gap}; lower --frames'
        )
    return rest + own[: -frames - gap], own[-frames:]


def sparse_depth(dataset: KITTIRawDataset, info: dict) -> np.ndarray:
    """Triangulated depth of one sample, (H, W)."""
    images = [decode_rgb(read_bytes(path), path)[0] for path in info['frame_paths']]
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    K = np.asarray(dataset.load_camera(info)['K_ori'], float)[:3, :3]
    pixels, depth = triangulate_frame(grey[0], (grey[1], grey[2]), K)
    return draw_depth(pixels, depth, grey[0].shape[::-1])


def compare(depth: np.ndarray, truth: np.ndarray) -> tuple[int, float, float]:
    """Points with LiDAR within 2 pixels; mean and median relative error there."""
    rows, columns = np.nonzero(depth)
    corners = zip((rows - 2).clip(0), (columns - 2).clip(0), strict=True)
    nearest = np.array([_known(truth[y : y + 5, x : x + 5]) for y, x in corners])
    known = np.isfinite(nearest)
    if not known.any():
        return 0, np.nan, np.nan
    ratio = depth[rows, columns][known] / nearest[known]
    error = np.abs(ratio / np.median(ratio) - 1)
    return int(known.sum()), float(error.mean()), float(np.median(error))


def _known(window: np.ndarray) -> float:
    """Depth of a window that lies on one surface, NaN of another."""
    found = window[window > 0]
    return float(np.median(found)) if found.size and found.max() < 1.1 * found.min() else np.nan


def options_of(out: Path, drive: str) -> list[str]:
    """Overrides of a config that trains and is judged on the two parts."""
    options = [f'train_dataloader.dataset.ann_file={out}/train_files.txt']
    for name in ('val_dataloader', 'test_dataloader'):
        dataset = f'{name}.dataset'
        options += [
            f'{dataset}.ann_file={out}/val_files.txt',
            f'{dataset}.drives=[{drive}]',
            f'{dataset}.gt=improved',
            f'{dataset}.improved_gt_root={out}',
        ]
    return options


def write_depth(
    dataset: KITTIRawDataset, held_out: list[dict], out: Path, check: bool
) -> tuple[list[dict], list[int], list[tuple]]:
    """Triangulate and write; the samples that have enough points, how many, and `compare`'s."""
    kept, points, errors = [], [], []
    for info in track(held_out, len(held_out), 'frames'):
        depth = sparse_depth(dataset, info)
        count = int((depth > 0).sum())
        if count < MIN_POINTS:
            continue
        kept.append(info)
        points.append(count)
        folder = out / info['drive'] / 'proj_depth' / 'groundtruth' / 'image_02'
        stored = np.where(depth < MAX_DEPTH, np.rint(depth * 256), 0).astype(np.uint16)
        atomic_write(folder / f'{info["frame"]:010d}.png', cv2.imencode('.png', stored)[1])
        if check:
            errors.append(compare(depth, dataset.load_gt_depth(info)))
    if not kept:
        raise ValueError(
            f'none of the {len(held_out)} held-out frames has {MIN_POINTS} points: the camera '
            'stands still, or the intrinsics are not those of these images'
        )
    return kept, points, errors


def main(argv: list[str] | None = None) -> None:
    """Split, triangulate, write."""
    args = parse_args(argv)
    out = args.out.resolve()
    try:
        dataset = KITTIRawDataset(
            str(args.data_root),
            drives=[*dict.fromkeys([*args.train, args.drive])],
            sides=('l',),
            frame_ids=(0, -1, 1),
            gt='velodyne' if args.check else None,
            with_gt=args.check,
            missing='drop',
        )
        train, held_out = split(dataset, args.train, args.drive, args.frames, args.gap)
        kept, points, errors = write_depth(dataset, held_out, out, args.check)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    for name, infos in (('train_files', train), ('val_files', kept)):
        lines = (f'{info["date"]}/{info["drive"]} {info["frame"]:010d} l\n' for info in infos)
        atomic_write(out / f'{name}.txt', ''.join(lines).encode())
    atomic_write(out / 'options.txt', '\n'.join([*options_of(out, args.drive), '']).encode())
    print(
        f'{len(train)} frames to train on, {len(kept)} of {len(held_out)} held-out frames with '
        f'{np.median(points):.0f} points in the median: {out}'
    )
    if args.check:
        count, mean, median = np.nanmean(errors, axis=0)
        print(f'against LiDAR: {count:.0f} points a frame, abs_rel {mean:.4f}, median {median:.4f}')


if __name__ == '__main__':
    main()

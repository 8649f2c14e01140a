"""Write a KITTI-C: corrupted copies of test images, in the layout of RoboDepth.

    OUT/<corruption>/<severity>/kitti_data/<date>/<drive>/image_02/data/<frame>.png
    OUT/clean/kitti_data/...

Example::

    python tools/dataset_converters/make_kitti_c.py --data-root data/kitti \
        --split data/splits/kitti/eigen/test_files.txt --out data/kitti_c

With --sheet a picture of all corruptions of the first image is written, without --out only that.
`test_robustness.py` needs no such copy: it makes the same pixels on the fly. The source is only
read. Files that are there already are kept, so an interrupted run goes on; every image is checked
before the first is written.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2

from mmscd.corruptions import CORRUPTIONS, SEVERITIES, corrupt, image_id_from_path
from mmscd.corruptions.sheet import corruption_sheet
from mmscd.datasets.formats.images import decode_rgb, image_size, read_bytes
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.datasets.transforms.resize import shrink
from mmscd.utils.command_line import check_writable, parse_size
from mmscd.utils.files import atomic_write, write_json
from mmscd.visualization.rendering import save_image

PREFIX = 'kitti_data'
SETTINGS = 'kitti_c.json'


def _size(text: str) -> tuple[int, int] | None:
    return None if text == 'native' else parse_size(text.lower())


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--split', help='split file with lines `date/drive frame side`')
    source.add_argument('--drive', action='append', help='all frames of date/drive; repeatable')
    parser.add_argument('--data-root', required=True, help='KITTI raw: holds the date folders')
    parser.add_argument('--out', type=Path, help='folder of the new set')
    parser.add_argument(
        '--size',
        type=_size,
        default=(640, 192),
        help='images are shrunk to it, then corrupted (default 640x192); `native`: not shrunk',
    )
    parser.add_argument('--corruptions', nargs='+', choices=CORRUPTIONS, default=CORRUPTIONS)
    parser.add_argument('--severities', nargs='+', type=int, choices=SEVERITIES, default=SEVERITIES)
    parser.add_argument('--seed', type=int, default=42)
    parser.add_argument('--format', choices=('png', 'jpg'), default='png')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--sheet', type=Path, help='picture of all corruptions (.png, .jpg)')
    parser.add_argument('--sheet-cell', type=int, default=320, help='width of its cells, pixels')
    args = parser.parse_args(argv)
    if args.out is None and args.sheet is None:
        parser.error('name the new set with --out, or a picture with --sheet')
    return args


def list_images(args: argparse.Namespace) -> list[str]:
    """Paths of the images, each complete.

    Raises:
        OSError, ValueError: the split or an image is missing or broken.
    """
    dataset = KITTIRawDataset(
        args.data_root, args.split, frame_ids=(0,), drives=args.drive, gt=None, test_mode=True
    )
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    for path in paths:
        image_size(read_bytes(path), path)
    return paths


def read_image(path: str, size: tuple[int, int] | None):
    """Decode and shrink as the test pipeline does."""
    image = decode_rgb(read_bytes(path), path)[0]
    if size is None:
        return image
    covers = size[0] <= image.shape[1] and size[1] <= image.shape[0]
    return (shrink if covers else cv2.resize)(image, size)


def convert(path: str, args: argparse.Namespace) -> int:
    """Write what is missing of one image; returns the number of files written."""
    image_id = image_id_from_path(path, args.data_root)
    passes = [(name, severity) for name in args.corruptions for severity in args.severities]
    targets = {(name, s): args.out / name / str(s) / PREFIX for name, s in passes}
    targets[None] = args.out / 'clean' / PREFIX
    targets = {key: folder / f'{image_id}.{args.format}' for key, folder in targets.items()}
    missing = {key: target for key, target in targets.items() if not target.is_file()}
    image = read_image(path, args.size) if missing else None
    for key, target in missing.items():
        picture = image if key is None else corrupt(image, *key, args.seed, image_id)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, 95] if args.format == 'jpg' else []
        atomic_write(target, cv2.imencode(target.suffix, bgr, options)[1].tobytes())
    return len(missing)


def check_settings(args: argparse.Namespace) -> None:
    """A folder holds one set: refuse to mix seeds or sizes.

    Raises:
        ValueError: OUT was begun with other settings.
    """
    own = dict(seed=args.seed, size=list(args.size) if args.size else None, format=args.format)
    path = args.out / SETTINGS
    if path.is_file():
        found = json.loads(path.read_text(encoding='utf-8'))
        if found != own:
            raise ValueError(f'{args.out} was begun with {found}, now asked for: {own}')
    write_json(path, own)


def run(args: argparse.Namespace) -> None:
    """All of it."""
    if args.out:
        check_writable(args.out)
        check_settings(args)
    paths = list_images(args)
    if args.sheet:
        image_id = image_id_from_path(paths[0], args.data_root)
        image = read_image(paths[0], args.size)
        cell = dict(cell_width=args.sheet_cell)
        save_image(corruption_sheet(image, image_id, args.seed, **cell), args.sheet)
    if args.out:
        write_set(args, paths)


def write_set(args: argparse.Namespace, paths: list[str]) -> None:
    """Corrupt and write, with a line of progress now and then."""
    begin, written = time.monotonic(), 0
    with ProcessPoolExecutor(max(1, args.workers), initializer=_start_worker) as pool:
        for done, count in enumerate(pool.map(partial(convert, args=args), paths), 1):
            written += count
            if done % 10 == 0 or done == len(paths):
                seconds = time.monotonic() - begin
                left = seconds / done * (len(paths) - done)
                print(f'{done}/{len(paths)} images, {left / 60:.1f} min left', flush=True)
    print(f'{written} files written to {args.out} in {time.monotonic() - begin:.0f} s')


def _start_worker() -> None:
    # Ctrl-C reaches the whole group; the main process ends its workers by itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)


def main(argv: list[str] | None = None) -> None:
    """Run; what the user can mend is one sentence."""
    try:
        run(parse_args(argv))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on')


if __name__ == '__main__':
    main()

"""Turn videos of one camera into training data: frames, intrinsics and a config, and check them.

Examples::

    python tools/dataset_converters/from_video.py drive.mp4 --hfov 81 --out data/my_streets
    python tools/dataset_converters/from_video.py monday.mp4 tuesday.mp4 --opencv camera.yaml \
        --crop 0 0 1920 980 --out data/my_streets
    python tools/dataset_converters/from_video.py folder_of_frames --intrinsics camera.yaml \
        --out data/my_streets --stride 2

A frame is kept once the view has moved by --motion since the last kept one; --stride takes every
n-th frame instead, but none while the camera stands. A cut starts a new sequence. With a
calibration that knows distortion the frames are undistorted. Leaves in OUT:

    frames/<video>/part_000/0000000012.jpg    numbered as in the video
    intrinsics.yaml                           of these frames
    monodepth2_r18.py                         a config that trains on them

A finished video is left alone when the command is given again; an interrupted one starts anew.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmscd.utils.command_line import make_parser, output_folder, run_tool


def run(args: argparse.Namespace) -> None:
    """Extract, describe, check."""
    from mmscd.video.convert import VideoConverter
    from mmscd.video.frame_camera import read_calibration
    from mmscd.video.lint import describe_findings, lint_folder

    calibrate = partial(
        read_calibration, intrinsics=args.intrinsics, hfov=args.hfov, colmap=args.colmap,
        opencv=args.opencv, camera_id=args.camera_id, scale_intrinsics=args.scale_intrinsics,
    )  # fmt: skip
    convert = VideoConverter(
        args.out, calibrate, args.motion, args.stride, args.crop, args.max_width, args.quality
    )
    config = convert(args.videos)
    if not args.no_lint:
        _, findings = lint_folder(args.out / 'frames', args.out / 'intrinsics.yaml')
        print(describe_findings(findings))
    print(f'train: python tools/train.py {shlex.quote(str(config))}')


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('videos', nargs='+', type=Path, help='video files, or folders of frames')
    parser.add_argument(
        '--out', type=output_folder, required=True, help='folder of the new data set'
    )
    group = parser.add_argument_group('camera (one of)')
    camera = group.add_mutually_exclusive_group(required=True)
    camera.add_argument('--intrinsics', type=Path, help='yaml: fx, fy, cx, cy, width, height')
    camera.add_argument('--hfov', type=float, help='horizontal field of view, degrees')
    camera.add_argument('--colmap', type=Path, help='cameras.txt of COLMAP')
    camera.add_argument('--opencv', type=Path, help="yaml of OpenCV's or ROS's calibration")
    parser.add_argument('--camera-id', type=int, help='which camera of cameras.txt')
    scaled = 'the calibration is of another size: scale'
    parser.add_argument('--scale-intrinsics', action='store_true', help=scaled)
    parser.add_argument('--motion', type=float, default=0.6, help='percent of the width (0.6)')
    parser.add_argument('--stride', type=int, help='every n-th frame, instead of --motion')
    sides = ('LEFT', 'TOP', 'RIGHT', 'BOTTOM')
    parser.add_argument('--crop', type=int, nargs=4, metavar=sides, help='pixels that are kept')
    parser.add_argument('--max-width', type=int, default=1280, help='wider are shrunk (1280)')
    parser.add_argument('--quality', type=int, default=95, help='of the JPEGs (95)')
    parser.add_argument('--no-lint', action='store_true', help='do not check what came out')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

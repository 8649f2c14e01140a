"""Depth of a video, beside it in a new video.

Example: python demo/video_demo.py drive.mp4 --model monodepth2_r18_kitti --weights iter_66340.pth

A number instead of a file is a camera; Ctrl-C ends it. Ctrl-C in a file leaves what is done so far
as a whole video whose name says how many frames it has.
"""

from __future__ import annotations

import argparse

from command_line import add_options, build_inferencer, output_options

from mmscd.utils.command_line import make_parser, run_tool


def run(args: argparse.Namespace) -> None:
    """Predict, write, and say where things are."""
    video = int(args.video) if args.video.isdigit() else args.video
    results = build_inferencer(args).stream(
        video,
        frame_step=args.frame_step,
        max_frames=args.max_frames,
        panel_width=args.panel_width,
        **output_options(args),
    )
    files: dict[str, str] = {}
    for result in results:
        files = result['files']
    print('\n'.join(files.values()))


def main() -> None:
    """Run the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('video', help='file, or number of a camera')
    parser.add_argument('--frame-step', type=int, default=1, help='only every so many-th frame')
    parser.add_argument('--max-frames', type=int, help='at most so many')
    parser.add_argument('--panel-width', type=int, help='of image and depth; default: up to 960')
    add_options(parser, 'video', 'depth_results')
    run_tool(parser, run)


if __name__ == '__main__':
    main()

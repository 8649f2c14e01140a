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

from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.command_line import make_parser, output_folder, run_tool
from mmscd.video.hold_out import hold_out


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = make_parser(__doc__)
    parser.add_argument('data_root', type=Path, help='KITTI raw')
    parser.add_argument('out', type=output_folder)
    parser.add_argument('--train', nargs='+', required=True, help='drives to train on')
    drive = 'whose last frames are held out; if not in --train, all else of it too'
    parser.add_argument('--drive', required=True, help=drive)
    parser.add_argument('--frames', type=int, default=60, help='judge on its last ones, so many')
    parser.add_argument('--gap', type=int, default=10, help='frames before them, in neither part')
    parser.add_argument('--check', action='store_true', help='compare with LiDAR')
    print(run_tool(parser, lambda args: hold_out(**vars(args)), argv))


if __name__ == '__main__':
    main()

"""Temporal consistency of depth on video: do neighbouring frames describe the same scene?

Example::

    python tools/analysis_tools/eval_temporal.py configs/scd/scd_r18_kitti-mini.py \
        work_dirs/scd/iter_1200.pth --sequence data/kitti_odometry/sequences/04 --out temporal.json

Depth of a frame is moved into the next one, by the known poses (`--motion known`), by those of the
model's own pose network (`predicted`) or both, and compared with what the network sees there. The
definitions are in `mmscd/evaluation/temporal.py`. Known motion needs depth in metres: one factor
per video, from ground-truth depth where there is some (median over the frames of median ratios),
else from the lengths of predicted and true motion. Beside the network stands depth that is the same
everywhere, at the same scale: who does not beat it has no structure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from mmscd.evaluation.sequences import VideoRunner, evaluate_consistency, read_sequences
from mmscd.utils.command_line import add_model, make_parser, output_file, run_tool
from mmscd.utils.files import check_output, write_json


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Predict, judge, print, write."""
    MMLogger.get_instance('mmscd', logger_name='mmscd')
    videos = read_sequences(args.sequence, args.poses, args.frames)
    check_output(args.out, '.json')
    # published weights have no pose network, and true depth gives the scale without one
    motion = args.motion != 'known' or any(video.gt_paths is None for video in videos)
    runner = VideoRunner(
        args.config, args.checkpoint, args.cfg_options, args.tta, args.batch_size, motion
    )
    result = evaluate_consistency(runner, videos, args.motion, args.max_depth, args.name)
    if args.out:
        write_json(args.out, result)
    return result


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run; what the user can mend is one sentence."""
    parser = make_parser(__doc__)
    add_model(parser)
    add = parser.add_argument
    add('--sequence', type=Path, action='append', required=True, help='its folder; repeatable')
    add('--poses', type=Path, help='pose file of the one sequence, if elsewhere')
    add('--frames', type=int, help='only the first so many')
    add('--motion', choices=('known', 'predicted', 'both'), default='both')
    add('--max-depth', type=float, default=80.0, help='of ground truth, metres')
    add('--tta', action='store_true', help='average with the mirrored image')
    add('--batch-size', type=int, default=8)
    add('--name', default='model', help='row in the table')
    add('--out', type=output_file, help='.json file for the numbers, of every pair too')
    return run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

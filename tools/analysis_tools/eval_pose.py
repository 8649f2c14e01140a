"""Trajectory error of a trained pose network on video with known poses.

Example::

    python tools/analysis_tools/eval_pose.py configs/monodepth2/monodepth2_r18_kitti-mini.py \
        work_dirs/mini/iter_1200.pth --sequence data/kitti_odometry/sequences/04 --out out/pose

Prints a table with two naive predictors beside the network: one that stands still, and one that
drives straight ahead at constant speed. Writes the numbers (pose.json), the predicted trajectory
in KITTI's format (<sequence>.txt) and a picture from above (<sequence>.png). The definitions are in
`mmscd/evaluation/trajectory.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import MMLogger

from mmscd.evaluation.metrics.pose_metric import PoseMetric
from mmscd.evaluation.sequences import VideoRunner, evaluate_motion, read_sequences
from mmscd.evaluation.trajectory import format_kitti_poses
from mmscd.utils.command_line import add_model, make_parser, output_folder, run_tool
from mmscd.utils.files import atomic_write
from mmscd.visualization.chart_style import save_figure
from mmscd.visualization.charts import trajectories


def run(args: argparse.Namespace) -> dict[str, float]:
    """Predict, judge, write."""
    MMLogger.get_instance('mmscd', logger_name='mmscd')
    videos = read_sequences(args.sequence, args.poses, args.frames)
    numbers = args.out and args.out / 'pose.json'
    metric = PoseMetric(args.snippets, model_name=args.name, out_path=numbers)
    runner = VideoRunner(args.config, args.checkpoint, args.cfg_options, batch_size=args.batch_size)
    metrics = evaluate_motion(runner, videos, metric)
    for video in videos if args.out else ():
        poses = metric.trajectories[video.name][args.name]
        atomic_write(args.out / f'{video.name}.txt', format_kitti_poses(poses).encode('ascii'))
        figure = trajectories(metric.positions(video.name), f'{video.name}: {len(poses)} frames')
        save_figure(figure, args.out / f'{video.name}.png')
    return metrics


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run; what the user can mend is one sentence."""
    parser = make_parser(__doc__)
    add_model(parser)
    add = parser.add_argument
    add('--sequence', type=Path, action='append', required=True, help='its folder; repeatable')
    add('--poses', type=Path, help='pose file of the one sequence, if elsewhere')
    add('--frames', type=int, help='only the first so many')
    add('--snippets', type=int, nargs='+', default=[5], help='their lengths')
    add('--batch-size', type=int, default=8)
    add('--name', default='model', help='row in the table')
    add('--out', type=output_folder, help='folder for numbers, trajectories and pictures')
    return run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

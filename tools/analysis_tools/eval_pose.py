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
import sys
from pathlib import Path

import cv2
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from video_sequence import VideoSequence, load_model, predict_video, read_sequence

from mmscd.evaluation import PoseMetric
from mmscd.evaluation.trajectory import align_trajectory, format_kitti_poses, to_first
from mmscd.utils.command_line import check_writable
from mmscd.utils.files import atomic_write
from mmscd.visualization.rendering import save_image


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', help='local file')
    parser.add_argument(
        '--sequence', type=Path, action='append', required=True, help='its folder; repeatable'
    )
    parser.add_argument('--poses', type=Path, help='pose file of the one sequence, if elsewhere')
    parser.add_argument('--frames', type=int, help='only the first so many')
    parser.add_argument('--snippets', type=int, nargs='+', default=[5], help='their lengths')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--name', default='model', help='row in the table')
    parser.add_argument('--out', type=Path, help='folder for numbers, trajectories and pictures')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    args = parser.parse_args(argv)
    if args.poses and len(args.sequence) > 1:
        parser.error('--poses goes with one --sequence')
    return args


def run(args: argparse.Namespace) -> dict[str, float]:
    """Predict, judge, write."""
    videos = [read_sequence(folder, args.poses, args.frames) for folder in args.sequence]
    if args.out:
        check_writable(args.out)
    cfg, model = load_model(args.config, args.checkpoint, args.cfg_options)
    metric = PoseMetric(
        args.snippets, model_name=args.name, out_path=args.out and args.out / 'pose.json'
    )
    evaluator = Evaluator(metric)
    for video in videos:
        motions = predict_video(cfg, model, video, depth=False, batch_size=args.batch_size)[1]
        for i, pose in enumerate(video.poses):
            motion = motions[i] if i < len(motions) else None
            frame = dict(sequence=video.name, frame=i, gt_pose=pose, pred_motion=motion)
            evaluator.process([frame])
    metrics = evaluator.evaluate(sum(len(video.paths) for video in videos))
    if args.out:
        for video in videos:
            write(video, metric, args)
    return metrics


def write(video: VideoSequence, metric: PoseMetric, args: argparse.Namespace) -> None:
    """The trajectory as text and as a picture, every predictor at its own best scale."""
    poses = metric.trajectories[video.name]
    text = format_kitti_poses(poses[args.name])
    atomic_write(args.out / f'{video.name}.txt', text.encode('ascii'))
    truth = poses['ground truth']
    tracks = {'ground truth': to_first(truth)[:, :3, 3]}
    for name, track in poses.items():
        if name not in ('ground truth', 'identity (stands still)'):
            tracks[f'{name}, scaled'] = align_trajectory(track, truth, 'scale')
    from trajectory_picture import draw_trajectories

    title = f'{video.name}: {len(truth)} frames'
    save_image(draw_trajectories(tracks, title), args.out / f'{video.name}.png')


def main(argv: list[str] | None = None) -> None:
    """Run; what the user can mend is one sentence."""
    args = parse_args(argv)
    cv2.setNumThreads(0)
    MMLogger.get_instance('mmscd', logger_name='mmscd')
    try:
        run(args)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()

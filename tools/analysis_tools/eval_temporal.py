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
import sys
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import MMLogger
from terminaltables import AsciiTable
from video_sequence import VideoSequence, load_model, predict_video, read_sequence

from mmscd.evaluation.functional import invert, resize_inverse_depth, scale_ratio
from mmscd.evaluation.temporal import motion_ratios, video_consistency, video_scale
from mmscd.evaluation.trajectory import relative_motions
from mmscd.utils.command_line import check_writable
from mmscd.utils.files import write_json

COLUMNS = dict(
    inconsistency='inconsistency ↓',
    agreement='agreement ↑',
    flicker='flicker ↓',
    coverage='covered',
)


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
    parser.add_argument('--motion', choices=('known', 'predicted', 'both'), default='both')
    parser.add_argument('--max-depth', type=float, default=80.0, help='of ground truth, metres')
    parser.add_argument('--tta', action='store_true', help='average with the mirrored image')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--name', default='model', help='row in the table')
    parser.add_argument('--out', type=Path, help='.json file for the numbers, of every pair too')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    args = parser.parse_args(argv)
    if args.poses and len(args.sequence) > 1:
        parser.error('--poses goes with one --sequence')
    if args.out and args.out.suffix != '.json':
        parser.error(f'--out must end in .json, got {args.out}')
    return args


def depth_ratios(video: VideoSequence, maps: list[np.ndarray], max_depth: float) -> list[float]:
    """Median of true over median of predicted depth, of every frame."""
    ratios = []
    for i, inverse in enumerate(maps):
        truth = video.gt_depth(i)
        known = (truth > 0) & (truth < max_depth)
        if known.any():
            depth = invert(resize_inverse_depth(inverse, truth.shape))
            ratios.append(scale_ratio(depth[known].astype(np.float64), truth[known]))
    return ratios


def judge(
    video: VideoSequence,
    maps: list[np.ndarray],
    own: np.ndarray | None,
    K: np.ndarray,
    args: argparse.Namespace,
) -> dict[str, dict]:
    """Rows of one video: name -> summary, with `pairs`."""
    known = relative_motions(video.poses)
    rows = {}
    for kind in ('known', 'predicted'):
        if args.motion not in (kind, 'both') or (kind == 'predicted' and own is None):
            continue
        scale, origin, motions = 1.0, 'its own', own
        if kind == 'known':
            motions = known
            if video.gt_paths is not None:
                scale = video_scale(depth_ratios(video, maps, args.max_depth))
                origin = 'from true depth'
            elif own is not None:
                scale, origin = video_scale(motion_ratios(known, own)), 'from true motion'
            else:
                raise ValueError(
                    f'{video.name}: known motion is in metres, and there is neither true depth nor '
                    'a pose network to bring predicted depth to them'
                )
        flat = [np.full_like(m, np.median(np.stack(maps))) for m in maps]
        for name, chosen in ((args.name, maps), ('the same depth everywhere', flat)):
            summary, pairs = video_consistency(chosen, motions, K, scale)
            facts = dict(scale=scale, scale_origin=origin, pairs=pairs)
            rows[f'{name}, {kind} motion'] = summary | facts
    return rows


def run(args: argparse.Namespace) -> None:
    """Predict, judge, print, write."""
    logger = MMLogger.get_instance('mmscd', logger_name='mmscd')
    videos = [read_sequence(folder, args.poses, args.frames) for folder in args.sequence]
    if args.out:
        check_writable(args.out.parent)
    cfg, model = load_model(args.config, args.checkpoint, args.cfg_options, args.tta)
    has_pose = model.pose_net is not None
    if args.motion == 'predicted' and not has_pose:
        raise ValueError('--motion predicted needs a model with a pose network')
    result = {}
    for video in videos:
        maps, own, K = predict_video(cfg, model, video, True, has_pose, args.batch_size)
        result[video.name] = judge(video, maps, own, K, args)
        logger.info(f'{video.name}, {len(maps)} frames\n{table(result[video.name])}')
    if args.out:
        write_json(args.out, result)


def table(rows: dict[str, dict]) -> str:
    """A text table of one video."""
    data = [['', *COLUMNS.values(), 'scale']]
    for name, row in rows.items():
        cells = [f'{row[key]:.4f}' for key in COLUMNS]
        data.append([name, *cells, f'{row["scale"]:.4g} {row["scale_origin"]}'])
    return AsciiTable(data).table


def main(argv: list[str] | None = None) -> None:
    """Run; what the user can mend is one sentence."""
    args = parse_args(argv)
    cv2.setNumThreads(0)
    try:
        run(args)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()

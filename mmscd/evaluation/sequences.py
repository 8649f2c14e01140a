"""Videos with known poses, and a network run over their frames.

Two layouts are read: KITTI odometry (`sequences/04` with `image_2` and `calib.txt`, poses in
`../../poses/04.txt`) and a KITTI-raw drive with poses beside its images, as the demo world has it
(`image_02/data`, `poses/image_02.txt`, calibration in the folder above).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log

from mmscd.datasets.formats import kitti_calibration as kitti
from mmscd.datasets.formats.images import IMAGE_EXTENSIONS, image_size, read_bytes, read_depth_png
from mmscd.datasets.kitti_odometry import read_poses
from mmscd.models.loading import load_model
from mmscd.models.model_names import find_pipeline
from mmscd.registry import TRANSFORMS
from mmscd.utils.config import load_config
from mmscd.utils.files import list_files, refuse_twins
from mmscd.utils.text_table import text_table

from .functional import invert, resize_inverse_depth, scale_ratio
from .metrics.pose_metric import PoseMetric
from .temporal import motion_ratios, video_consistency, video_scale
from .trajectory import check_poses, relative_motions

FLAT = 'the same depth everywhere'


@dataclass(frozen=True)
class VideoSequence:
    """Consecutive frames: T_world_camera `poses` (N, 4, 4) in metres, `K` (3, 3) in pixels of the
    images, `gt_paths` of 16-bit depth PNGs, one per frame, or None."""

    name: str
    paths: list[Path]
    poses: np.ndarray
    K: np.ndarray
    gt_paths: list[Path] | None = None

    def gt_depth(self, i: int) -> np.ndarray:
        """(H, W) metres, 0 where there is none; of a video with `gt_paths`."""
        assert self.gt_paths is not None
        return read_depth_png(self.gt_paths[i])

    def depth_ratios(self, inv_depths: Sequence[np.ndarray], max_depth: float) -> list[float]:
        """Median of true over median of predicted depth, of every frame with ground truth between 0
        and `max_depth` (metres, exclusive), from inverse depth (h, w) of all frames."""
        ratios = []
        for i, inverse in enumerate(inv_depths):
            truth = self.gt_depth(i)
            known = (truth > 0) & (truth < max_depth)
            if known.any():
                depth = invert(resize_inverse_depth(inverse, truth.shape))
                ratios.append(scale_ratio(depth[known].astype(np.float64), truth[known]))
        return ratios


def read_sequences(
    folders: Sequence[Path], poses: Path | None = None, frames: int | None = None
) -> list[VideoSequence]:
    """Find the parts of sequences, see the module. `poses` is the file of the one sequence, where
    it lies elsewhere; `frames`: only the first so many."""
    if poses is not None and len(folders) > 1:
        raise ValueError(f'--poses goes with one --sequence, got {len(folders)}')
    return [_read_sequence(folder.resolve(), poses, frames) for folder in folders]


def _read_sequence(folder: Path, poses: Path | None, frames: int | None) -> VideoSequence:
    if (folder / 'image_2').is_dir():
        images, path = folder / 'image_2', folder / 'calib.txt'
        poses = poses or folder.parents[1] / 'poses' / f'{folder.name}.txt'
        K = kitti.projection_matrix(kitti.read_calibration_file(path), 'P2', path)[:, :3]
    elif (folder / 'image_02' / 'data').is_dir():
        images = folder / 'image_02' / 'data'
        poses = poses or folder / 'poses' / 'image_02.txt'
        K = kitti.KITTICalibration(folder.parent).intrinsics('l')
    else:
        raise FileNotFoundError(
            f'{folder} has neither image_2 (KITTI odometry) nor image_02/data (KITTI raw): give '
            'the folder of one sequence'
        )
    paths = list_files(images, IMAGE_EXTENSIONS)
    refuse_twins(paths)
    numbers = [int(p.stem) for p in paths if p.stem.isdecimal()]
    if len(numbers) < max(2, len(paths)) or numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ValueError(f'{images} must hold 2 or more images with consecutive numbers as names')
    world = check_poses(read_poses(poses), f'the poses of {poses}')
    if numbers[-1] >= len(world):
        raise ValueError(f'{poses} has {len(world)} poses, but there is a frame {numbers[-1]}')
    paths = paths[:frames]
    truth = [folder / 'proj_depth/groundtruth/image_02' / f'{p.stem}.png' for p in paths]
    found = all(path.is_file() for path in truth)
    return VideoSequence(folder.name, paths, world[numbers][:frames], K, truth if found else None)


class VideoRunner:
    """A network with its test pipeline, for frames one after the other.

    `config` is a path, or `package::path`; `flip` averages depth with that for the mirrored image;
    `batch_size` frames run at once. Without `motion` the pose network, if there is one
    (`has_motion`), is not needed; nor are its weights.
    """

    def __init__(
        self,
        config: str,
        weights: str,
        options: dict | None = None,
        flip: bool = False,
        batch_size: int = 8,
        motion: bool = True,
    ) -> None:
        cfg = load_config(config, options)
        self.has_motion = motion and cfg.model.get('pose_net') is not None
        if self.has_motion:
            cfg.model.frame_ids = [0, 1]  # a frame and the next one
        need = 'depth+pose' if self.has_motion else 'depth'
        self.model = load_model(cfg, weights, need, flip=flip)
        self.pipeline = [TRANSFORMS.build(step) for step in find_pipeline(cfg)]
        self.batch_size = batch_size

    def _load(self, video: VideoSequence, i: int, size: tuple[int, int]) -> dict:
        """What the test pipeline makes of a frame and the next one (the last one: itself)."""
        paths = [str(video.paths[min(k, len(video.paths) - 1)]) for k in (i, i + 1)]
        sample = dict(frame_ids=[0, 1], frame_paths=paths, img_path=paths[0], sample_idx=i)
        sample.update(K_ori=video.K, camera_size=size, draw_key=0)
        for step in self.pipeline:
            sample = step(sample)
        return sample

    @torch.no_grad()
    def __call__(
        self, video: VideoSequence, depth: bool = True, motion: bool = True
    ) -> tuple[list[np.ndarray], np.ndarray | None, np.ndarray]:
        """Inverse depths (h, w) of a video at the network's resolution (empty without `depth`),
        T_next_frame (N - 1, 4, 4) float64 (None without `motion`), and K (3, 3) for these maps."""
        if motion and not self.has_motion:
            raise ValueError(
                'the model has no pose network (trained on stereo alone?), so no motion'
            )
        size = image_size(read_bytes(video.paths[0]), video.paths[0])
        maps, motions = [], []
        for begin in range(0, len(video.paths), self.batch_size):
            numbers = range(len(video.paths))[begin : begin + self.batch_size]
            batch = default_collate([self._load(video, i, size) for i in numbers])
            K = batch['inputs']['K'][0].double().numpy()
            data = self.model.data_preprocessor(batch, False)
            if motion:
                motions.append(self.model.estimate_poses(data['inputs'])[:, 0].double().cpu())
            if depth:
                judged = self.model.predict(data['inputs'], data['data_samples'])
                maps += [sample.pred_inv_depth.data[0].float().cpu().numpy() for sample in judged]
        return maps, torch.cat(motions)[:-1].numpy() if motion else None, K


def evaluate_motion(
    runner: VideoRunner, videos: Sequence[VideoSequence], metric: PoseMetric
) -> dict[str, float]:
    """Judge the motion that a network sees; `metric.trajectories` has all poses afterwards."""
    evaluator = Evaluator(metric)
    for video in videos:
        motions = runner(video, depth=False)[1]
        for i, (pose, motion) in enumerate(zip(video.poses, [*motions, None], strict=True)):
            frame = dict(sequence=video.name, frame=i, gt_pose=pose, pred_motion=motion)
            evaluator.process([frame])
    return evaluator.evaluate(sum(len(video.paths) for video in videos))


def evaluate_consistency(
    runner: VideoRunner,
    videos: Sequence[VideoSequence],
    motion: str = 'both',
    max_depth: float = 80.0,
    name: str = 'model',
) -> dict[str, dict[str, dict[str, Any]]]:
    """Judge whether the depth of neighbouring frames agrees; see `temporal`.

    `motion` is 'known' (poses of the video), 'predicted' (by the model) or 'both'; true depth below
    `max_depth` metres sets the scale of a video. Returns video -> row of the table, of the network
    and of flat depth -> `temporal.video_consistency`, `scale`, `scale_origin` and `pairs`.
    """
    if motion == 'predicted' and not runner.has_motion:
        raise ValueError('--motion predicted needs a model with a pose network')
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for video in videos:
        maps, own, K = runner(video, motion=runner.has_motion)
        motions: dict[str, tuple[np.ndarray, float, str]] = {}
        if motion != 'predicted':
            known = _scale_of(video, maps, own, max_depth)
            motions['known'] = relative_motions(video.poses), *known
        if motion != 'known' and own is not None:
            motions['predicted'] = own, 1.0, 'its own'
        flat = np.full_like(maps[0], np.median(np.stack(maps)))
        rows = result[video.name] = {}
        for kind, (poses, scale, origin) in motions.items():
            for label, depths in ((name, maps), (FLAT, [flat] * len(maps))):
                summary, pairs = video_consistency(depths, poses, K, scale)
                facts = dict(scale=scale, scale_origin=origin, pairs=pairs)
                rows[f'{label}, {kind} motion'] = summary | facts
        print_log(_consistency_table(rows, f'{video.name}, {len(maps)} frames'), 'current')
    return result


def _scale_of(
    video: VideoSequence, maps: list[np.ndarray], own: np.ndarray | None, max_depth: float
) -> tuple[float, str]:
    """Metres per unit of predicted depth, and where the number comes from."""
    if video.gt_paths is not None:
        return video_scale(video.depth_ratios(maps, max_depth)), 'from true depth'
    if own is None:
        raise ValueError(
            f'{video.name}: known motion is in metres, and there is neither true depth nor a pose '
            'network to bring predicted depth to them'
        )
    return video_scale(motion_ratios(relative_motions(video.poses), own)), 'from true motion'


def _consistency_table(rows: dict[str, dict[str, Any]], title: str) -> str:
    lines = [['', 'inconsistency ↓', 'agreement ↑', 'flicker ↓', 'covered', 'scale']]
    for name, row in rows.items():
        keys = ('inconsistency', 'agreement', 'flicker', 'coverage')
        scale = f'{row["scale"]:.4g} {row["scale_origin"]}'
        lines.append([name, *(f'{row[key]:.4f}' for key in keys), scale])
    return text_table(lines, title)

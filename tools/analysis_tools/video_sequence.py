"""Videos with known poses for `eval_pose.py` and `eval_temporal.py`, and a network run over them.

Two layouts are read: KITTI odometry (`sequences/04` with `image_2` and `calib.txt`, poses in
`../../poses/04.txt`) and a KITTI-raw drive with poses beside its images, as the demo world has it
(`image_02/data`, `poses/image_02.txt`, calibration in the folder above).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from torch import nn

from mmscd.datasets.formats.images import IMAGE_EXTENSIONS, image_size, read_bytes, read_depth_png
from mmscd.datasets.formats.kitti_calibration import (
    KITTICalibration,
    projection_matrix,
    read_calibration_file,
)
from mmscd.datasets.kitti_odometry import read_poses
from mmscd.evaluation.trajectory import check_poses
from mmscd.models import loading
from mmscd.registry import TRANSFORMS
from mmscd.utils.config import load_config


@dataclass
class VideoSequence:
    """Consecutive frames.

    Attributes:
        name: for reports.
        paths: of the frames.
        poses: T_world_camera (N, 4, 4), metres.
        K: (3, 3), pixels of the images.
        gt_paths: 16-bit depth PNGs, one per frame, or None.
    """

    name: str
    paths: list[Path]
    poses: np.ndarray
    K: np.ndarray
    gt_paths: list[Path] | None = None

    def gt_depth(self, i: int) -> np.ndarray:
        """(H, W) metres, 0 where there is none."""
        return read_depth_png(self.gt_paths[i])


def read_sequence(
    folder: Path, poses: Path | None = None, frames: int | None = None
) -> VideoSequence:
    """Find the parts of a sequence.

    Args:
        folder: see the module.
        poses: pose file, where it lies elsewhere.
        frames: only the first so many.

    Raises:
        FileNotFoundError, ValueError: something is missing or broken; says what.
    """
    folder = folder.resolve()
    if (folder / 'image_2').is_dir():
        images = folder / 'image_2'
        poses = poses or folder.parents[1] / 'poses' / f'{folder.name}.txt'
        path = folder / 'calib.txt'
        K = projection_matrix(read_calibration_file(path), 'P2', path)[:, :3]
    elif (folder / 'image_02' / 'data').is_dir():
        images = folder / 'image_02' / 'data'
        poses = poses or folder / 'poses' / 'image_02.txt'
        K = KITTICalibration(folder.parent).intrinsics('l')
    else:
        raise FileNotFoundError(
            f'{folder} has neither image_2 (KITTI odometry) nor image_02/data (KITTI raw); give '
            'the folder of one sequence, e.g. kitti_odometry/sequences/04'
        )
    paths = sorted(p for p in images.iterdir() if p.suffix in IMAGE_EXTENSIONS)
    numbers = [int(p.stem) for p in paths if p.stem.isdigit()]
    if len(numbers) < max(2, len(paths)) or numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ValueError(f'{images} must hold 2 or more images with consecutive numbers as names')
    world = check_poses(read_poses(poses), f'the poses of {poses}')
    if numbers[-1] >= len(world):
        raise ValueError(
            f'{poses} has {len(world)} poses, but there is a frame {numbers[-1]}: restore one of '
            'the two'
        )
    world, paths = world[numbers][:frames], paths[:frames]
    truth = [folder / 'proj_depth/groundtruth/image_02' / f'{p.stem}.png' for p in paths]
    found = all(path.is_file() for path in truth)
    return VideoSequence(folder.name, paths, world, K, truth if found else None)


def load_model(
    config: str, checkpoint: str, cfg_options: dict | None, flip_tta: bool = False
) -> tuple[Config, nn.Module]:
    """Config and network with weights, on the best device, in eval mode, for the frames (0, 1).

    Raises:
        OSError, RuntimeError, ValueError: a file is missing, broken, or of another model.
    """
    cfg = load_config(config, cfg_options)
    if cfg.model.get('pose_net') is not None:
        # as the target 0 and the source +1
        cfg.model.frame_ids = [0, 1]
    cfg.model.flip_tta = flip_tta
    return cfg, loading.load_model(cfg, checkpoint, 'depth+pose', half=None)


def frame_pairs(cfg: Config, video: VideoSequence) -> list[dict]:
    """What the test pipeline makes of every frame and the next one (the last one: itself)."""
    pipeline = [TRANSFORMS.build(step) for step in cfg.test_dataloader.dataset.pipeline]
    size = image_size(read_bytes(video.paths[0]), video.paths[0])
    samples = []
    for i, path in enumerate(video.paths):
        paths = [str(path), str(video.paths[min(i + 1, len(video.paths) - 1)])]
        sample = dict(frame_ids=[0, 1], frame_paths=paths, img_path=paths[0], sample_idx=i)
        sample.update(K_ori=video.K, camera_size=size, draw_key=0)
        for step in pipeline:
            sample = step(sample)
        samples.append(sample)
    return samples


@torch.no_grad()
def predict_video(
    cfg: Config,
    model: nn.Module,
    video: VideoSequence,
    depth: bool = True,
    motion: bool = True,
    batch_size: int = 8,
) -> tuple[list[np.ndarray], np.ndarray | None, np.ndarray]:
    """Inverse depth and motion of a video.

    Args:
        cfg, model: of `load_model`.
        video: the frames.
        depth, motion: what is wanted.
        batch_size: frames at once.

    Returns:
        inverse depths (h, w) at the network's resolution (empty without `depth`), T_next_frame
        (N - 1, 4, 4) float64 (None without `motion`), and K (3, 3) for these maps.

    Raises:
        ValueError: motion is wanted of a model without pose network.
    """
    if motion and model.pose_net is None:
        raise ValueError(
            'the model has no pose network (it is trained on stereo pairs alone): its motion '
            'cannot be evaluated'
        )
    samples = frame_pairs(cfg, video)
    maps, motions = [], []
    for begin in range(0, len(samples), batch_size):
        batch = default_collate(samples[begin : begin + batch_size])
        data = model.data_preprocessor(batch, False)
        if motion:
            motions.append(model.estimate_poses(data['inputs'])[:, 0].double().cpu())
        if depth:
            judged = model.predict(data['inputs'], data['data_samples'])
            maps += [sample.pred_inv_depth.data[0].float().cpu().numpy() for sample in judged]
    K = samples[0]['inputs']['K'].double().numpy()
    return maps, torch.cat(motions)[:-1].numpy() if motion else None, K

"""The warped source beside the target: do depth, motion and intrinsics fit together?

Depth and pose of a pair come from where they are known best:

- the stereo partner: its calibrated pose, with the ground-truth depth of the sample, else with the
  depth of a network that was trained on stereo pairs (others do not know metres);
- a neighbour in time: depth and motion of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmscd.datasets.formats.lidar import project_points
from mmscd.geometry import disp_to_depth, proj, scale_intrinsics
from mmscd.models import loading
from mmscd.utils.keyed_random import uniform

from .colormap import apply_color_table

Panel = tuple[str, np.ndarray]

SPREAD = 0.006  # of the width: by so much measured points grow, so that they can be seen
CELLS = 20  # of the checkerboard of target and warped source, in a row
GAIN = 3  # differences are drawn that much brighter than they are
_UNKNOWN = 0.12


class Pair(NamedTuple):
    """A source and what its re-projection needs.

    `position` of the source among the frames; `depth` of the target, (H, W) float32 metres or the
    network's unit, 0 where unknown; (4, 4) pose in that unit; where both are from, for the title.
    """

    position: int
    depth: Tensor
    T_source_target: Tensor
    origin: str


class Network:
    """Depth and motion of a checkpoint, for samples of `frame_ids`, the target 0 first.

    Raises ValueError where it lacks weights of the model, as a published one its pose net.
    """

    def __init__(self, cfg: Config, checkpoint: str, frame_ids: Sequence[int | str]) -> None:
        slim = Config(cfg.to_dict())
        self.metric = 's' in (slim.model.get('frame_ids') or ())
        slim.model.frame_ids = list(frame_ids)
        self.model = loading.load_model(slim, checkpoint, 'depth+pose', 'cpu')

    @torch.no_grad()
    def __call__(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Depth (B, 1, H, W) of the targets, and T_source_target (B, S, 4, 4)."""
        outputs = self.model.compute_outputs(dict(inputs))
        disp = outputs.disps[0]
        return disp_to_depth(disp, *self.model.depth_range), outputs.T_source_target


def is_flipped(draw_key: Tensor, probability: float) -> bool:
    """Whether `DepthDataPreprocessor` flips the sample of a key in training."""
    return bool(uniform(draw_key.reshape(1), 'flip')[0, 0] < probability)


def true_depth(sample: Any, K: np.ndarray, size: tuple[int, int], flipped: bool) -> np.ndarray:
    """Ground truth (H, W) float32 metres in the image that the network gets, 0 where unknown.

    However that image of `size` (width, height) was cut and resized: `K` (3, 3) is its own.
    Measured points have grown by `SPREAD`. `sample` has `gt_depth`, `K_ori` and `ori_shape`.
    """
    gt = sample.gt_depth.data[0].numpy()
    height, width = sample.ori_shape
    K_gt = scale_intrinsics(np.array(sample.K_ori), gt.shape[1] / width, gt.shape[0] / height)
    rows, columns = np.nonzero(gt > 0)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(K_gt).T
    points = rays * gt[rows, columns][:, None]
    mirror = np.diag([-1.0 if flipped else 1.0, 1.0, 1.0, 1.0])
    return spread_nearest(project_points(points, [mirror[:3], K], size), SPREAD * size[0])


def spread_nearest(depth: np.ndarray, radius: float) -> np.ndarray:
    """Unknown pixels (0) at most `radius` away from a known one get its depth."""
    if not (depth > 0).any():
        return depth
    unknown = (depth <= 0).astype(np.uint8)
    options: dict[str, int] = dict(labelType=cv2.DIST_LABEL_PIXEL)
    distance, labels = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, **options)
    # labels count the known pixels, in an order of OpenCV's own
    table = np.zeros(labels.max() + 1, depth.dtype)
    table[labels[depth > 0]] = depth[depth > 0]
    return np.where(distance <= radius, table[labels], 0)


def find_pairs(
    inputs: Mapping[str, Tensor],
    samples: Sequence[Any],
    network: Network | None,
    flip_prob: float,
) -> tuple[list[list[Pair]], list[str]]:
    """The pairs of every sample, and a sentence for every frame id that cannot be warped.

    `flip_prob` is that of the preprocessor, and 0 outside of training.
    """
    frame_ids = list(samples[0].frame_ids)
    size = tuple(inputs['frames'].shape[:-3:-1])
    known = network(inputs) if network is not None and len(frame_ids) > 1 else None
    pairs: list[list[Pair]] = [[] for _ in samples]
    missing: dict[int | str, str] = {}
    for index, sample in enumerate(samples):
        truth = None
        if 'gt_depth' in sample and 's' in frame_ids:
            K, key = inputs['K'][index].double().numpy(), inputs['draw_key'][index]
            truth = torch.from_numpy(true_depth(sample, K, size, is_flipped(key, flip_prob)))
        for position, frame_id in enumerate(frame_ids[1:], 1):
            if frame_id == 's' and truth is not None:
                pose, origin = inputs['T_stereo'][index], 'ground truth, stereo'
                pairs[index].append(Pair(position, truth, pose, origin))
            elif network is None or known is None:
                missing[frame_id] = 'a source in time needs --checkpoint'
                if frame_id == 's':
                    missing['s'] = 'it needs ground truth, or --checkpoint of a stereo training'
            elif frame_id == 's' and not network.metric:
                missing['s'] = 'it needs ground truth: the network does not know metres'
            else:
                depth, pose = known[0][index, 0], known[1][index, position - 1]
                pairs[index].append(Pair(position, depth, pose, 'network'))
    notes = [f'source {frame_id} is not warped: {why}' for frame_id, why in missing.items()]
    if network is not None and len(frame_ids) == 1:
        notes.append('nothing to warp: the samples have no source frame, see --frame-ids')
    return pairs, notes


def warp(source: Tensor, pair: Pair, K: Tensor) -> tuple[Tensor, Tensor]:
    """The source (3, H, W) in [0, 1] as the target's camera sees it, by its pair and K (3, 3).

    With bool (H, W): where depth is known and the point lies in the source.
    """
    known = pair.depth > 0
    depth = torch.where(known, pair.depth, torch.ones_like(pair.depth))
    args = (source, depth[None], pair.T_source_target, K, torch.linalg.inv(K))
    warped, _, inside = proj(*(value[None].double() for value in args))
    return warped[0].float(), inside[0, 0] & known


def warp_panels(
    frames: Tensor, pair: Pair, K: Tensor, frame_id: int | str, focal_factor: float = 1.0
) -> list[Panel | None]:
    """A row of (title, picture) of one pair; `frames` (F, 3, H, W) in [0, 1] are clean.

    The focal lengths are taken `focal_factor` times as long as they are.
    """
    K = K.clone()
    K[[0, 1], [0, 1]] *= focal_factor
    target, source = frames[0], frames[pair.position]
    warped, valid = warp(source, pair, K)
    drawn = torch.where(valid, warped, torch.full_like(warped, _UNKNOWN))
    width = target.shape[-1]
    rows, columns = (torch.arange(n) * CELLS // width for n in target.shape[-2:])
    other = (rows[:, None] + columns) % 2 == 1
    mixed = torch.where(other & valid, warped, target)
    before, after = (
        torch.where(valid, (view - target).abs().mean(0), torch.nan) for view in (source, warped)
    )
    share = valid.float().mean()
    focal = '' if focal_factor == 1 else f', focal x {focal_factor:g}'
    return [
        None,
        (f'source {frame_id} warped ({pair.origin}{focal})', to_picture(drawn)),
        (f'target and warped, checkerboard ({share:.0%} known)', to_picture(mixed)),
        (f'difference not warped: {_mean(before)}', to_heat(before * GAIN)),
        (f'difference warped: {_mean(after)}', to_heat(after * GAIN)),
    ]


def _mean(difference: Tensor) -> str:
    known = difference[difference.isfinite()]
    return f'{known.mean():.3f}' if known.numel() else 'nothing to compare'


def to_picture(image: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1], clipped, as uint8 RGB (H, W, 3)."""
    return (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def to_heat(values: Tensor) -> np.ndarray:
    """(H, W) in [0, 1], clipped, in colours, uint8 RGB (H, W, 3); NaN is unknown."""
    return apply_color_table(values.clamp(0, 1).double().numpy(), 'inferno')

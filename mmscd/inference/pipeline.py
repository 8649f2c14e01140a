"""From frames to what the network takes, and from its predictions to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import MMLogger
from torch import nn

from mmscd.evaluation.functional import invert, is_usable, to_numpy
from mmscd.models.model_names import describe, find_pipeline
from mmscd.registry import TRANSFORMS
from mmscd.structures import DepthDataSample

from .inputs import Frame, FrameReader, count_images, make_batches

Pipeline = Callable[[Frame], dict]

# made for one data set: what reads its files, and the benchmark's cut of its images
_LEFT_OUT = ('LoadFrames', 'CropFrames', 'PackDepthInputs')


def build_pipeline(cfg: Config) -> Pipeline:
    """What turns a `Frame` into one sample for `default_collate`: the config's test pipeline
    without what reads files, and without the crop of some benchmarks: the prediction has the size
    of the whole input."""
    steps = find_pipeline(cfg)
    crops = [step for step in steps if step['type'] == 'CropFrames']
    if crops:
        options = {key: value for key, value in crops[0].items() if key != 'type'}
        MMLogger.get_current_instance().warning(
            f'{describe(cfg)} crops the images of its data set ({options}); other images are taken '
            'as a whole: cut off what is no scene, like the own bonnet, before'
        )
    transforms = [TRANSFORMS.build(step) for step in steps if step['type'] not in _LEFT_OUT]
    transforms.append(TRANSFORMS.build(dict(type='PackDepthInputs')))

    def run(frame: Frame) -> dict:
        shape = frame.image.shape[:2]
        results = dict(
            frames=[frame.image], frame_ids=[0], frame_paths=[frame.origin], ori_shape=shape,
            img_path=frame.origin, sample_idx=frame.index, img_shape=shape,
            # no prediction depends on these
            K=np.eye(3), K_ori=np.eye(3), draw_key=0,
        )  # fmt: skip
        for transform in transforms:
            results = transform(results)
        return results

    return run


@torch.no_grad()
def predict(
    model: nn.Module, pipeline: Pipeline, frames: Iterable[Frame], batch_size: int
) -> Iterator[tuple[Frame, DepthDataSample]]:
    """Each frame with the network's prediction; only one batch is in memory."""
    for batch in make_batches(frames, batch_size):
        samples = model.test_step(default_collate([pipeline(frame) for frame in batch]))
        yield from zip(batch, samples, strict=True)


def inference_depth(
    model: nn.Module, images: Any, batch_size: int = 4
) -> np.ndarray | list[np.ndarray]:
    """Depth of one or several images, for those who want no class.

    Args:
        model: of `init_model`.
        images: anything that `DepthInferencer` takes: path, uint8 RGB array, list of them, ...
        batch_size: images at once.

    Returns:
        float32 (H, W) of the image's size for one image, as the network gives it: up to scale, or
        metres for models trained on stereo pairs and where the checkpoint has a
        `meta['depth_scale']`. A list of maps for all else.

    Raises:
        FileNotFoundError, OSError, TypeError, ValueError: an image is missing or unreadable.
    """
    scale = np.float32(getattr(model, 'depth_scale', None) or 1.0)
    found = predict(model, build_pipeline(model.cfg), FrameReader(images), batch_size)
    maps = [depth_and_disp(sample, model)[0] * scale for _, sample in found]
    single = not isinstance(images, (list, tuple)) and count_images(images) == 1
    return maps[0] if single and len(maps) == 1 else maps


def depth_and_disp(
    sample: DepthDataSample, model: nn.Module
) -> tuple[np.ndarray, np.ndarray | None]:
    """Depth, float32 (H, W) of the input's size, as the network gives it, and its disparity in (0,
    1), by the model's `depth_range` (min, max); None for a model that has none. RuntimeError:
    depth is not finite and positive."""
    depth = np.ascontiguousarray(to_numpy(sample.pred_depth.data), np.float32)
    if not is_usable(depth).all():
        raise RuntimeError(
            f'{sample.img_path}: the network gives depth that is not finite and positive: its '
            'weights are broken, or half precision overflows (try precision="float32")'
        )
    depth_range = getattr(model, 'depth_range', None)
    if depth_range is None:
        return depth, None
    # inverse depth is affine in disparity, so resizing one resizes the other
    far, near = 1 / depth_range[1], 1 / depth_range[0]
    return depth, ((invert(depth) - far) / (near - far)).astype(np.float32)

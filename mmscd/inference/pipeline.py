"""From a frame to what the network takes, and from its prediction to arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmscd.evaluation.functional import invert, to_numpy
from mmscd.models.model_names import describe, find_pipeline
from mmscd.registry import TRANSFORMS
from mmscd.structures import DepthDataSample

from .inputs import Frame

# made for one data set: what reads its files, and the benchmark's cut of its images
_LEFT_OUT = ('LoadFrames', 'CropFrames', 'PackDepthInputs')


def build_pipeline(cfg: Config) -> Callable[[Frame], dict]:
    """What turns a `Frame` into one sample for `default_collate`.

    It is the config's test pipeline without what reads files, and without the crop that some
    benchmarks prescribe: the prediction has the size of the whole input.
    """
    steps = find_pipeline(cfg)
    crops = [step for step in steps if step['type'] == 'CropFrames']
    if crops:
        options = {key: value for key, value in crops[0].items() if key != 'type'}
        print_log(
            f'{describe(cfg)} crops the images of its data set ({options}); other images are taken '
            'as a whole: cut off what is no scene, like the own bonnet, before',
            'current',
            30,
        )
    transforms = [TRANSFORMS.build(step) for step in steps if step['type'] not in _LEFT_OUT]
    transforms.append(TRANSFORMS.build(dict(type='PackDepthInputs')))

    def run(frame: Frame) -> dict:
        shape = frame.image.shape[:2]
        results = dict(
            frames=[frame.image],
            frame_ids=[0],
            frame_paths=[frame.origin],
            img_path=frame.origin,
            sample_idx=frame.index,
            ori_shape=shape,
            img_shape=shape,
            # no prediction depends on it
            K=np.eye(3),
            K_ori=np.eye(3),
            draw_key=0,
        )
        for transform in transforms:
            results = transform(results)
        return results

    return run


def depth_and_disp(
    sample: DepthDataSample, model: nn.Module
) -> tuple[np.ndarray, np.ndarray | None]:
    """Maps at the input's size.

    Args:
        sample: prediction of the model.
        model: its `depth_range` (min, max) says how disparity became depth.

    Returns:
        depth, float32 (H, W), as the network gives it, and the network's disparity in (0, 1); None
        for a model that has no `depth_range`.
    """
    depth = np.ascontiguousarray(to_numpy(sample.pred_depth.data), np.float32)
    depth_range = getattr(model, 'depth_range', None)
    if depth_range is None:
        return depth, None
    # inverse depth is affine in disparity, so resizing one resizes the other
    far, near = 1 / depth_range[1], 1 / depth_range[0]
    return depth, ((invert(depth) - far) / (near - far)).astype(np.float32)

"""`DepthVisualizer`: draws `DepthDataSample`s."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mmengine.visualization import Visualizer

from mmscd.evaluation.functional import invert, resize_inverse_depth, to_numpy
from mmscd.evaluation.protocols import DepthProtocol, get_protocol
from mmscd.registry import VISUALIZERS
from mmscd.structures.depth_data_sample import DepthDataSample

from .rendering import (
    MIN_PANEL_WIDTH,
    add_head,
    depth_panel,
    error_panel,
    metric_factor,
    panel_size,
    resize_image,
    save_image,
    stack_panels,
)


@VISUALIZERS.register_module()
class DepthVisualizer(Visualizer):
    """Image, depth and error against ground truth in one picture.

    Args:
        name: of the instance.
        protocol: decides which pixels of the error panel count, and how the depth is aligned; the
            abs_rel in the picture is then the one of `DepthMetric`.
        panel_width: pixels, of each panel, at least 240.
        max_error: end of the error's colour bar.
        colormap: of the depth, one of `colormap.COLORMAPS`.
        direction: 'auto', 'vertical' or 'horizontal'.
        **kwargs: of `mmengine.visualization.Visualizer` (`vis_backends`, `save_dir`).
    """

    def __init__(
        self,
        name: str = 'visualizer',
        protocol: str | dict | DepthProtocol = 'kitti_eigen',
        panel_width: int = 640,
        max_error: float = 0.5,
        colormap: str = 'magma',
        direction: str = 'auto',
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        if panel_width < MIN_PANEL_WIDTH:
            raise ValueError(f'panel_width must be at least {MIN_PANEL_WIDTH}, got {panel_width}')
        self.protocol, self.panel_width = get_protocol(protocol), panel_width
        self.max_error, self.colormap, self.direction = max_error, colormap, direction

    def draw(
        self, image: np.ndarray, data_sample: DepthDataSample, title: str = '', draw_gt: bool = True
    ) -> np.ndarray:
        """The picture of one prediction, uint8 RGB.

        Args:
            image: uint8 RGB (H, W, 3).
            data_sample: with `pred_inv_depth` or `pred_depth`, else ValueError; `gt_depth` adds
                the error panel.
            title: above the image.
            draw_gt: False leaves the error panel out.
        """
        if 'pred_inv_depth' in data_sample:
            inverse = to_numpy(data_sample.pred_inv_depth.data)
        elif 'pred_depth' in data_sample:
            inverse = invert(to_numpy(data_sample.pred_depth.data))
        else:
            raise ValueError(
                'the data sample has neither `pred_inv_depth` nor `pred_depth` '
                f'({data_sample.get("img_path")}): draw what the model returned in mode "predict"'
            )
        has_gt = draw_gt and 'gt_depth' in data_sample
        gt = to_numpy(data_sample.gt_depth.data) if has_gt else None
        return self.draw_arrays(image, inverse, gt, title)

    def draw_arrays(
        self, image: np.ndarray, inv_depth: np.ndarray, gt: np.ndarray | None, title: str = ''
    ) -> np.ndarray:
        """`draw` of `inv_depth` (h, w), 1 / depth at any resolution, and `gt` (H', W') metres."""
        size = panel_size(image.shape[:2], self.panel_width)
        picture = resize_image(image, size)
        depth = None if gt is None else invert(resize_inverse_depth(inv_depth, gt.shape))
        factor = metric_factor(depth, gt, self.protocol)
        panels = [add_head(picture, title), depth_panel(inv_depth, size, factor, self.colormap)]
        if depth is not None and gt is not None:
            panels.append(error_panel(depth, gt, self.protocol, picture, self.max_error))
        return stack_panels(panels, self.direction)

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DepthDataSample,
        draw_gt: bool = True,
        out_file: str | os.PathLike | None = None,
        step: int = 0,
    ) -> np.ndarray:
        """`draw` one prediction and save it, on any rank; returns the picture.

        Args:
            name: title, and the image's name for the backends.
            image, data_sample, draw_gt: see `draw`.
            out_file: .png or .jpg, written atomically; None hands the picture to the backends.
            step: for the backends.
        """
        picture = self.draw(image, data_sample, name, draw_gt)
        if out_file is not None:
            save_image(picture, out_file)
        else:
            self.add_image(name, picture, step)
        return picture

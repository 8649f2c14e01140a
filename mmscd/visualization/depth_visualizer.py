"""`DepthVisualizer`: draws `DepthDataSample`s."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mmengine.visualization import Visualizer

from mmscd.evaluation.functional import invert, to_numpy
from mmscd.evaluation.protocols import get_protocol
from mmscd.registry import VISUALIZERS
from mmscd.structures.depth_data_sample import DepthDataSample

from .rendering import render_prediction, save_image


@VISUALIZERS.register_module()
class DepthVisualizer(Visualizer):
    """Image, depth and error against ground truth in one picture.

    Args:
        name: of the instance.
        protocol: decides which pixels of the error panel count, and how the depth is aligned; the
            abs_rel in the picture is then the one of `DepthMetric`.
        panel_width: pixels, of each panel.
        max_error: end of the error's colour bar.
        colormap: of the depth, one of `colormap.COLORMAPS`.
        direction: 'auto', 'vertical' or 'horizontal'.
        **kwargs: of `mmengine.visualization.Visualizer` (`vis_backends`, `save_dir`).
    """

    def __init__(
        self,
        name: str = 'visualizer',
        protocol: str | dict = 'kitti_eigen',
        panel_width: int = 640,
        max_error: float = 0.5,
        colormap: str = 'magma',
        direction: str = 'auto',
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self.protocol = get_protocol(protocol)
        self.options = dict(
            panel_width=panel_width, max_error=max_error, colormap=colormap, direction=direction
        )

    def draw(
        self, image: np.ndarray, data_sample: DepthDataSample, title: str = '', draw_gt: bool = True
    ) -> np.ndarray:
        """The picture of one prediction.

        Args:
            image: uint8 RGB (H, W, 3).
            data_sample: with `pred_inv_depth` or `pred_depth`; `gt_depth` adds the error panel.
            title: above the image.
            draw_gt: False leaves the error panel out.

        Returns:
            uint8 RGB.

        Raises:
            ValueError: there is no prediction.
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
        return render_prediction(image, inverse, gt, self.protocol, title, **self.options)

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DepthDataSample,
        draw_gt: bool = True,
        out_file: str | os.PathLike | None = None,
        step: int = 0,
    ) -> np.ndarray:
        """Draw one prediction and save it, on any rank.

        Args:
            name: title, and the image's name for the backends.
            image: uint8 RGB (H, W, 3).
            data_sample: see `draw`.
            draw_gt: see `draw`.
            out_file: .png or .jpg, written atomically; None hands the picture to the backends.
            step: for the backends.

        Returns:
            the picture, uint8 RGB.
        """
        picture = self.draw(image, data_sample, name, draw_gt)
        if out_file is not None:
            save_image(picture, out_file)
        else:
            self.add_image(name, picture, step)
        return picture

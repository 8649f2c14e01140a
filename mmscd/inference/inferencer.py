"""`DepthInferencer`: depth of whatever shows a street, in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.infer import BaseInferencer
from mmengine.logging import MMLogger
from torch import nn

from mmscd.models.loading import check_device, init_model
from mmscd.models.model_names import describe, resolve_model
from mmscd.models.precision import use_precision
from mmscd.structures import DepthDataSample
from mmscd.utils.progress import track
from mmscd.visualization.colormap import color_table

from .inputs import Frame, FrameReader, count_frames, count_images
from .metric_scale import NoRoadError, build_scale
from .outputs import OutputWriter, check_kinds
from .pictures import DepthPainter
from .pipeline import build_pipeline, depth_and_disp, predict
from .point_cloud import NO_CAMERA, Intrinsics


class DepthInferencer(BaseInferencer):
    """Predicts depth for images, folders, videos, cameras and arrays.

    ::

        inferencer = DepthInferencer('monodepth2_r18_kitti', weights='iter_66340.pth')
        depth = inferencer('street.jpg')['predictions'][0]['pred_depth']
        inferencer('drive.mp4', out_dir='results', save='video')

    Args:
        model: path or name of a config (`mmscd.list_models()`), or a mmengine `Config`.
        weights: checkpoint, path or URL; 'random' tries the machinery without one.
        device: e.g. 'cpu', 'cuda:0'; None: the best one there is.
        precision: 'auto': after some images the fastest form of the network whose disparity is
            within 2e-3 of float32, see `models/precision.py`; 'float32': the network as it is.
        scale: how depth becomes metres. None: as the model gives it (up to scale, but metric for
            models trained on stereo pairs), times `meta['depth_scale']` of a checkpoint that has
            one (5.4 for converted stereo weights of Monodepth2); a number; or
            `dict(type='camera_height', height=1.65)`, which finds the road in each image and needs
            `intrinsics`, see `CameraHeightScale`.
        flip: average each prediction with that for the mirrored image.
        intrinsics: of the camera: path of a yaml file (see `CameraFile`) or a (3, 3) matrix, in
            pixels of the input images. For point clouds and the scale by camera height.
        scale_intrinsics: the inputs may be plain resizes of what the yaml file describes.
        batch_size: images at once.
        show_progress: a bar on a terminal, a line every ten seconds elsewhere.

    Raises:
        FileNotFoundError, RuntimeError, ValueError: config, weights, device, scale or intrinsics
            are missing or do not fit; one sentence says which and what to do.
    """

    postprocess_kwargs = {'return_arrays'}
    visualize_kwargs = {'colormap'}

    def __init__(
        self,
        model: Any,
        weights: str | os.PathLike | None = None,
        device: str | None = None,
        precision: str = 'auto',
        scale: Any = None,
        flip: bool = False,
        intrinsics: Any = None,
        scale_intrinsics: bool = False,
        batch_size: int = 4,
        show_progress: bool = True,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.scale = build_scale(scale)
        self.camera = None if intrinsics is None else Intrinsics(intrinsics, scale_intrinsics)
        if self.scale is not None and self.scale.needs_camera and self.camera is None:
            raise ValueError(f'the scale by camera height {NO_CAMERA}')
        self.flip, self.batch_size = flip, batch_size
        cfg = resolve_model(model)
        # before the weights: no device, no work
        super().__init__(cfg, weights, str(check_device(device)), 'mmscd', show_progress)
        use_precision(self.model, precision)
        stereo = 's' in (cfg.model.get('frame_ids') or ())
        if self.scale is None and self.model.depth_scale is not None:
            self.scale = build_scale(self.model.depth_scale)
        elif (stereo or self.model.depth_scale is not None) and self.scale is not None:
            MMLogger.get_current_instance().warning(
                f'{describe(cfg)} was trained on stereo pairs and is metric already: a scale is '
                'only right for another camera'
            )
        self.metric = stereo or self.scale is not None

    def _init_model(self, cfg: Config, weights: Any, device: str = 'cpu') -> nn.Module:
        return init_model(cfg, weights, device, self.flip)

    def _init_pipeline(self, cfg: Config) -> Callable[[Frame], dict]:
        return build_pipeline(cfg)

    def _init_collate(self, cfg: Config) -> Callable:
        return default_collate

    def _init_visualizer(self, cfg: Config) -> None:
        return None  # pictures come from `DepthPainter`, which keeps no state of a training

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int | None = None,
        return_arrays: bool | None = None,
        **options: Any,
    ) -> dict[str, list]:
        """Predict for all inputs.

        Args:
            inputs: path of an image, a video or a folder of images, a pattern ('drive/*.png'), the
                number of a camera, a uint8 RGB array (grey, RGBA, uint16 too), a PIL image, or a
                list or generator of these.
            return_datasamples: `DepthDataSample`s instead of dicts.
            batch_size: instead of the inferencer's.
            return_arrays: keep the maps of all inputs in memory. None: unless they are written to
                `out_dir` and the number of inputs is not known, as with videos.
            **options: of `stream`: `out_dir`, `save`, `colormap`, ...

        Returns:
            dict with `predictions`, one per input as `stream` yields it, and `failures`, (input,
            reason) of what was skipped with `on_error='skip'`.
        """
        if return_arrays is None:
            return_arrays = options.get('out_dir') is None or count_images(inputs) is not None
        failures: list[tuple[str, str]] = []
        results = self.stream(inputs, batch_size, failures=failures, **options)
        kept = [self.postprocess(r, None, return_datasamples, return_arrays) for r in results]
        return dict(predictions=kept, failures=failures)

    def stream(
        self,
        inputs: Any,
        batch_size: int | None = None,
        out_dir: str | os.PathLike | None = None,
        save: str | Sequence[str] | None = None,
        colormap: str = 'magma',
        depth_limits: tuple[float, float] | None = None,
        scale_bar: bool = True,
        layout: str = 'auto',
        panel_width: int | None = None,
        ply_options: dict[str, Any] | None = None,
        on_error: str = 'raise',
        frame_step: int = 1,
        max_frames: int | None = None,
        failures: list | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict for one input after the other; only one batch is in memory.

        Args:
            inputs: see `__call__`.
            batch_size: instead of the inferencer's.
            out_dir: where outputs go; None writes nothing.
            save: kinds of output, see `OutputWriter`: 'color', 'beside', 'kitti_png', 'npy', 'ply',
                'video'. None: 'color'.
            colormap: magma, inferno, plasma, viridis, cividis (monotone to the eye) or turbo.
            depth_limits: (near, far) that the colours span; None: fits each image.
            scale_bar: draw it above the colours; False: `color` has exactly the image's size.
            layout: 'horizontal', 'vertical' or 'auto' for `beside` and `video`.
            panel_width: pixels of each half of `beside` and `video`.
            ply_options: `max_depth`, `jump`; see `make_point_cloud`.
            on_error: 'raise', or 'skip' inputs that cannot be read.
            frame_step, max_frames: of videos and cameras.
            failures: a list that gets (input, reason) of what was skipped.

        Yields:
            dicts with `name`, `origin` (path, or what it is), `pred_depth` and `pred_disp` (float32
            (H, W) of the input's size; metres where `metric` is True; the network's disparity in
            (0, 1)), `scale` (metres per unit of the network's depth; 1.0 without), `metric`,
            `files` (paths by kind) and `data_sample`.

        Raises:
            FileNotFoundError, OSError: an input is missing or unreadable, an output cannot be
                written.
            TypeError, ValueError: an option or input makes no sense.
        """
        failures = [] if failures is None else failures
        reader = FrameReader(inputs, on_error, frame_step, max_frames, self.camera, failures)
        painter = DepthPainter(colormap, depth_limits, self.metric, scale_bar)
        writer = None
        if out_dir is not None:
            kinds = check_kinds(save or 'color', self.camera is not None, self.metric)
            writer = OutputWriter(out_dir, kinds, painter, layout, panel_width, ply_options)
        elif save is not None:
            raise ValueError(f'save={save!r} needs out_dir, the folder to write to')
        total = count_frames(inputs, frame_step, max_frames) if self.show_progress else None
        # not a generator itself, so that wrong options are refused at once
        return self._run(reader, writer, batch_size or self.batch_size, total)

    def _run(
        self, reader: FrameReader, writer: OutputWriter | None, batch_size: int, total: int | None
    ) -> Iterator[dict[str, Any]]:
        results: Iterator = self._predict(reader, batch_size)
        if self.show_progress:
            results = track(results, total)
        with writer or nullcontext():
            for frame, result in results:
                if writer is not None:
                    result['files'] = writer.write(frame, result['pred_depth'])
                yield result

    def _predict(
        self, reader: FrameReader, batch_size: int
    ) -> Iterator[tuple[Frame, dict[str, Any]]]:
        for frame, sample in predict(self.model, self.pipeline, reader, batch_size):
            try:
                result = self._finish(frame, sample)
            except NoRoadError as error:
                reader.fail(frame.origin, error)
            else:
                yield frame, result

    def _finish(self, frame: Frame, sample: DepthDataSample) -> dict[str, Any]:
        depth, disp = depth_and_disp(sample, self.model)
        factor = 1.0
        if self.scale is not None:
            factor = self.scale(depth, frame.K, frame.origin, frame.video)
            depth = depth * np.float32(factor)
            sample.pred_depth.data = torch.from_numpy(depth)[None]
        return dict(
            name=frame.name, origin=frame.origin, pred_depth=depth, pred_disp=disp, scale=factor,
            metric=self.metric, files={}, data_sample=sample,
        )  # fmt: skip

    def visualize(self, inputs: list, preds: Any, colormap: str = 'magma') -> list[np.ndarray]:
        """Colour maps with scale bars.

        Args:
            inputs: not read.
            preds: dicts with `pred_depth`, as of `stream`.
            colormap: see `stream`.

        Returns:
            uint8 RGB arrays.
        """
        color_table(colormap)
        painter = DepthPainter(colormap, metric=self.metric)
        return [painter.paint(pred['pred_depth']) for pred in preds]

    def postprocess(
        self,
        preds: dict[str, Any],
        visualization: Any = None,
        return_datasample: bool = False,
        return_arrays: bool = True,
    ) -> Any:
        """One result as `__call__` returns it.

        Args:
            preds: of `stream`.
            visualization: not read.
            return_datasample: the `DepthDataSample` alone.
            return_arrays: False drops the maps.
        """
        if return_datasample:
            return preds['data_sample']
        dropped = {'data_sample'} if return_arrays else {'data_sample', 'pred_depth', 'pred_disp'}
        return {key: value for key, value in preds.items() if key not in dropped}

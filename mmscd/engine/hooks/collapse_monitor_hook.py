"""An early warning that training has collapsed."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmscd.registry import HOOKS
from mmscd.visualization import colorize_depth, save_image

from .lazy_runtime_info_hook import stack_values
from .schedule_hook import unwrap_model

ADVICE = {
    'disp_spread': 'the depth map is flat; lower the learning rate or check the frame order and K',
    'disp_saturation': 'near things are cut off at min_depth; lower min_depth, or start with a '
    'smaller disp_head.initial_disp',
    'disp_saturation_far': 'nearly everything lies at max_depth; raise max_depth, lower the '
    'learning rate, or start with a larger disp_head.initial_disp',
    'pose_translation': 'the pose net sees no motion, or far too much; check that the frames move '
    'and that K fits them',
    'auto_mask_share': 'warping explains almost no pixel, or all; check frame_ids, K and whether '
    'the camera moves',
}


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Warns in one sentence, with a picture, when training leaves sane bounds.

    Looks every `interval` iterations at the diagnostics that the estimator logs: `disp_spread`
    (standard deviation over mean of the disparity), `disp_saturation` and `disp_saturation_far`
    (shares of pixels within 5 % of `min_depth` and of `max_depth`), `pose_translation` (mean
    length, in units of depth), `auto_mask_share`, and at every value for NaN or infinity. A bound
    must be broken `patience` times in a row; a NaN counts at once and, as no training recovers from
    it, stops it.

    Args:
        bounds: smallest and largest sane value by name of the diagnostic.
        interval: iterations between looks; each costs one wait for the device.
        begin: first iteration that is looked at, except for NaN.
        patience: looks in a row that must fail before a warning.
        stop_on_nan: raise instead of training on.
    """

    priority = 'BELOW_NORMAL'

    def __init__(
        self,
        bounds: dict[str, tuple[float, float]] | None = None,
        interval: int = 50,
        begin: int = 500,
        patience: int = 3,
        stop_on_nan: bool = True,
    ) -> None:
        self.bounds = bounds or dict(
            disp_spread=(0.05, 10.0),
            disp_saturation=(0.0, 0.1),
            disp_saturation_far=(0.0, 0.9),
            pose_translation=(1e-5, 5.0),
            auto_mask_share=(0.05, 0.999),
        )
        self.interval, self.begin, self.patience = interval, begin, patience
        self.stop_on_nan = stop_on_nan
        self._strikes = dict.fromkeys(self.bounds, 0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Look at the diagnostics of this iteration; FloatingPointError where one stops it."""
        if not outputs or not self.every_n_train_iters(runner, self.interval):
            return
        values = dict(zip(outputs, stack_values(outputs).tolist(), strict=True))
        bad = [name for name, value in values.items() if not isfinite(value)]
        if bad:
            sentence = f'{", ".join(bad)} is not finite'
            self._warn(runner, data_batch, 'nan', f'Iteration {runner.iter + 1}: {sentence}')
            if self.stop_on_nan:
                raise FloatingPointError(sentence)
        if runner.iter + 1 < self.begin:
            return
        for name, (low, high) in self.bounds.items():
            value = values.get(name)
            if value is None or not isfinite(value):
                continue
            self._strikes[name] = 0 if low <= value <= high else self._strikes[name] + 1
            if self._strikes[name] == self.patience:
                advice = ADVICE.get(name, 'check the data and the learning rate')
                sentence = (
                    f'Iteration {runner.iter + 1}: {name} = {value:.3g} has left '
                    f'[{low:g}, {high:g}]: {advice}'
                )
                self._warn(runner, data_batch, name, sentence)

    def _warn(self, runner: Runner, data_batch: Any, name: str, sentence: str) -> None:
        if not is_main_process():
            return
        path = Path(runner.work_dir) / 'collapse' / f'iter_{runner.iter + 1}_{name}.png'
        save_image(self._picture(runner, data_batch), path)
        runner.logger.warning(f'{sentence} (picture: {path}).')

    @torch.no_grad()
    def _picture(self, runner: Runner, data_batch: Any) -> np.ndarray:
        """The first images of the batch beside their inverse depth, uint8 RGB."""
        model = unwrap_model(runner.model)
        # evaluation mode: a look must not change the running statistics of batch norm
        model.eval()
        inputs = model.data_preprocessor(data_batch, False)['inputs']
        disps = model(inputs, mode='tensor')[:4, 0].float().cpu().numpy()
        model.train()
        images = (inputs['frames'][:4, 0] * 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        disps = np.nan_to_num(disps, nan=0.0, posinf=0.0, neginf=0.0)
        rows = [
            np.concatenate([image, colorize_depth(1 / np.maximum(disp, 1e-6))], 1)
            for image, disp in zip(images, disps, strict=True)
        ]
        return np.concatenate(rows)

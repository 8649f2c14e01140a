"""What happens to a batch on the device: float, flip, colour jitter, normalisation."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmscd.geometry import flip_intrinsics, invert_intrinsics, mirror_transform
from mmscd.registry import MODELS
from mmscd.utils.compiling import run
from mmscd.utils.keyed_random import uniform_many

# RGB to luma (ITU-R BT.601) and to the two chroma axes of YIQ
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


class ColourJitter(nn.Module):
    """Brightness, contrast, saturation and hue of all frames of a sample changed alike, so that
    they stay consistent with each other.

    Hue is a rotation in the chroma plane of YIQ, so that all but contrast is linear: one small
    matrix per sample instead of four passes over the pixels. Contrast is about the mean luma of the
    whole sample.

    Args:
        brightness, contrast, saturation: half ranges; factors lie in 1 +- range.
        hue: half range of the angle, in turns.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float, hue: float) -> None:
        super().__init__()
        # constants on the device, float64 as the draws are; nothing is copied there in a step
        constant = functools.partial(torch.tensor, dtype=torch.float64)
        turn = [
            [1, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, -1, 0, 1, 0],
        ]
        buffers = dict(
            ranges=constant([brightness, contrast, saturation, 2 * torch.pi * hue]),
            middle=constant([1, 1, 1, 0]),
            turn=constant(turn),
            to_yiq=constant(_YIQ),
            from_yiq=torch.linalg.inv(constant(_YIQ)),
        )
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def matrix(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Of draws, float64 (B, 4) in [0, 1) for brightness, contrast, saturation and hue: what is
        linear in colours, (B, 3, 3), and the factor of contrast (B,), float32."""
        factors = self.middle + self.ranges * (2 * draws - 1)
        brightness, contrast, saturation, angle = factors.unbind(1)
        chroma = saturation[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        turn = F.pad(chroma, (1, 0), value=1.0) @ self.turn
        matrix = self.from_yiq @ turn.reshape(-1, 3, 3) @ self.to_yiq
        return (brightness[:, None, None] * matrix).float(), contrast.float()

    def forward(self, frames: Tensor, draws: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Frames (B, F, 3, H, W) in [0, 1] of the samples that are `chosen`, bool (B,), jittered;
        None: all. `draws`: see `matrix`."""
        matrix, contrast = (x.to(frames.dtype) for x in self.matrix(draws))
        mean_colour = frames.mean((1, 3, 4))
        luma = self.to_yiq[0].to(frames.dtype)
        grey = ((matrix @ mean_colour[..., None])[..., 0] * luma).sum(-1)
        matrix = matrix * contrast[:, None, None]
        offset = (1 - contrast) * grey
        if chosen is not None:
            same = torch.eye(3, dtype=frames.dtype, device=frames.device)
            matrix = torch.where(chosen[:, None, None], matrix, same)
            offset = torch.where(chosen, offset, 0)
        out = matrix[:, None] @ frames.flatten(3) + offset[:, None, None, None]
        return out.clamp(0, 1).reshape(frames.shape)


class InputNormalisation(nn.Module):
    """Images in [0, 1] to what the networks take.

    With `per_image` every channel of every image is brought to mean 0 and standard deviation 1 by
    its own statistics, so that exposure, contrast and the colour of the light (any a I + b with
    a > 0, up to clipping) drop out before the network. In Retinex terms: what all pixels share of
    the illumination is divided out. The statistics are those of means over blocks of `BLOCK`
    pixels: noise adds to the deviation of pixels and blur takes from it, while neither says
    anything about the light.

    Args:
        mean, std: RGB in [0, 1]; constants for all images, without `per_image`.
        per_image: see above.
    """

    BLOCK = 8
    # of a channel: what is flatter than one grey level of 8 bits is flat, not stretched
    SMALLEST_STD = 1 / 255

    def __init__(self, mean: Sequence[float], std: Sequence[float], per_image: bool) -> None:
        super().__init__()
        if max(*mean, *std) > 1:
            expected = 'mean and std of the data_preprocessor are of RGB in [0, 1]'
            raise ValueError(f'{expected}, got {tuple(mean)} and {tuple(std)}: divide by 255')
        self.register_buffer('mean', torch.tensor(mean).reshape(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).reshape(3, 1, 1), persistent=False)
        self.per_image = per_image

    def forward(self, image: Tensor) -> Tensor:
        """(..., 3, H, W) in [0, 1] to the same shape; at least one block."""
        if not self.per_image:
            return (image - self.mean) / self.std
        blocks = F.avg_pool2d(image.reshape(-1, *image.shape[-3:]), self.BLOCK)
        blocks = blocks.reshape(*image.shape[:-2], *blocks.shape[-2:])
        mean = blocks.mean((-2, -1), keepdim=True)
        std = (blocks - mean).square().mean((-2, -1), keepdim=True).sqrt()
        return (image - mean) / std.clamp(min=self.SMALLEST_STD)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.per_image:
            destination[f'{prefix}per_image'] = torch.tensor(True)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Weights and normalisation belong together, and nothing else would tell a mismatch."""
        said = bool(state_dict.pop(f'{prefix}per_image', False))
        if said and not self.per_image:
            raise ValueError(
                'the checkpoint was trained with images normalised one by one, the config '
                'normalises by constants: set model.data_preprocessor.per_image=True'
            )
        if self.per_image and not said:
            print_log(
                'the config normalises images one by one, the checkpoint does not say that it was '
                'trained so: fine to start a training from; to predict with it, set '
                'model.data_preprocessor.per_image=False if it was trained with constants',
                logger='current',
                level=logging.WARNING,
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def to_picture(self, normalised: Tensor) -> Tensor:
        """Network input as something to look at, about [0, 1]: the constants undone."""
        return normalised * self.std + self.mean


@MODELS.register_module()
class DepthDataPreprocessor(BaseDataPreprocessor):
    """Turns the loader's uint8 batch into what networks and losses read, on the device.

    Every draw is a function of the sample's `draw_key` (see `utils.keyed_random`).

    Input: `inputs` with `frames` uint8 (B, F, 3, H, W) RGB, `K` (B, 3, 3), `draw_key` int64 (B,),
    and `T_stereo` (B, 4, 4) where a frame is the stereo partner. Output: `inputs` with

    - `frames`: clean, in [0, 1], for the losses,
    - `network_input`: jittered (in training) and normalised, for the networks,
    - `K`, `inv_K`, `T_stereo`: after the flip; `draw_key` as it came,

    and `data_samples` as they came.

    Args:
        mean, std: RGB in [0, 1]; the normalisation of the backbone's weights.
        per_image: normalise every image by its own mean and deviation, see `InputNormalisation`.
        flip_prob: probability of a horizontal flip in training.
        jitter_prob: probability of colour jitter in training.
        brightness, contrast, saturation, hue: half ranges of the jitter; hue in turns.
        non_blocking: asynchronous copies to the device.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        per_image: bool = False,
        flip_prob: float = 0.5,
        jitter_prob: float = 0.5,
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.2,
        hue: float = 0.1,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking)
        self.normalise = InputNormalisation(mean, std, per_image)
        self.flip_prob, self.jitter_prob = flip_prob, jitter_prob
        self.jitter = ColourJitter(brightness, contrast, saturation, hue)
        # whether batches of a training are prepared by `torch.compile`
        self.compiled = False

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """See the class; frames that are not uint8 (B, F, 3, H, W) are refused."""
        data = self.cast_data(data)
        inputs = dict(data['inputs'])
        frames = inputs['frames']
        if frames.dtype != torch.uint8 or frames.ndim != 5:
            raise ValueError(
                f'frames must be uint8 (B, F, 3, H, W), got {frames.dtype} {tuple(frames.shape)}; '
                'is PackDepthInputs the last transform and default_collate the collate_fn?'
            )
        if training:
            given = (frames, inputs['K'], inputs.get('T_stereo'), inputs['draw_key'])
            # under the autocast of a step colours would have the 8 bits of bfloat16
            with torch.autocast(frames.device.type, enabled=False):
                made = run(self.compiled, type(self)._prepare_training, self, *given)
        else:
            made = self._finish(frames, inputs['K'])
        return dict(inputs={**inputs, **made}, data_samples=data.get('data_samples'))

    def _prepare_training(
        self, frames: Tensor, K: Tensor, T_stereo: Tensor | None, key: Tensor
    ) -> dict[str, Tensor]:
        """Flip some samples together with their cameras, jitter some, on the way to the networks
        alone."""
        draws = uniform_many(key, dict(flip=1, jitter=1, colour=4))
        flip = draws['flip'][:, 0] < self.flip_prob
        frames = torch.where(flip[:, None, None, None, None], frames.flip(-1), frames)
        made = {} if T_stereo is None else dict(T_stereo=mirror_transform(T_stereo, flip))
        chosen = draws['jitter'][:, 0] < self.jitter_prob
        K = flip_intrinsics(K, frames.shape[-1], flip)
        return made | self._finish(frames, K, lambda x: self.jitter(x, draws['colour'], chosen))

    def _finish(
        self, frames: Tensor, K: Tensor, jitter: Callable[[Tensor], Tensor] = lambda x: x
    ) -> dict[str, Tensor]:
        frames = frames.to(self.normalise.mean.dtype) / 255
        seen = self.normalise(jitter(frames))
        return dict(frames=frames, network_input=seen, K=K, inv_K=invert_intrinsics(K))

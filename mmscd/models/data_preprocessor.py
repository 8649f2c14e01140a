"""What happens to a batch on the device: float, flip, colour jitter, normalisation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmscd.geometry import flip_intrinsics, invert_intrinsics, mirror_transform
from mmscd.registry import MODELS
from mmscd.utils.keyed_random import uniform, uniform_many

# RGB to luma (ITU-R BT.601) and to the two chroma axes of YIQ
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def colour_matrix(draws: Tensor, jitter: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Colour jitter as an affine map per sample: brightness, saturation and hue; then contrast.

    Hue is a rotation in the chroma plane of YIQ, so that all of it is linear: one small matrix per
    sample instead of four passes over the pixels. From `draws`, float64 (B, 4) in [0, 1) for
    brightness, contrast, saturation, hue, and the half ranges `jitter`: factors lie in 1 +- range,
    the hue angle in +- range turns. Gives the matrix (B, 3, 3) and the contrast factor (B,),
    float32.
    """
    signed = 2 * draws - 1
    brightness = 1 + jitter['brightness'] * signed[:, 0]
    contrast = 1 + jitter['contrast'] * signed[:, 1]
    saturation = 1 + jitter['saturation'] * signed[:, 2]
    angle = 2 * torch.pi * jitter['hue'] * signed[:, 3]
    yiq = torch.tensor(_YIQ, dtype=torch.float64, device=draws.device)
    turn = torch.zeros(len(draws), 3, 3, dtype=torch.float64, device=draws.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 2, 1] = saturation * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    matrix = brightness[:, None, None] * (torch.linalg.inv(yiq) @ turn @ yiq)
    return matrix.float(), contrast.float()


def colour_jitter(frames: Tensor, draws: Tensor, jitter: dict[str, float]) -> Tensor:
    """Jitter all frames (B, F, 3, H, W) in [0, 1] of a sample alike, so that they stay consistent
    with each other; contrast is about the mean luma of the whole sample. Other arguments:
    `colour_matrix`."""
    matrix, contrast = (x.to(frames.dtype) for x in colour_matrix(draws, jitter))
    luma = torch.tensor(_YIQ[0], dtype=frames.dtype, device=frames.device)
    mean_colour = frames.mean((1, 3, 4))
    grey = ((matrix @ mean_colour[..., None])[..., 0] * luma).sum(-1)
    matrix = matrix * contrast[:, None, None]
    offset = (1 - contrast) * grey
    flat = frames.flatten(3)
    out = matrix[:, None] @ flat + offset[:, None, None, None]
    return out.clamp_(0, 1).reshape(frames.shape)


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
        self.jitter = dict(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)

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
        frames = frames.to(self.normalise.mean.dtype) / 255
        if training:
            frames = self._flip(frames, inputs)
        inputs['inv_K'] = invert_intrinsics(inputs['K'])
        inputs['frames'] = frames
        seen = self._jitter(frames, inputs['draw_key']) if training else frames
        inputs['network_input'] = self.normalise(seen)
        return dict(inputs=inputs, data_samples=data.get('data_samples'))

    def _flip(self, frames: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Flip some samples together with their cameras; `inputs` is updated."""
        flip = uniform(inputs['draw_key'], 'flip')[:, 0] < self.flip_prob
        inputs['K'] = flip_intrinsics(inputs['K'], frames.shape[-1], flip)
        if 'T_stereo' in inputs:
            inputs['T_stereo'] = mirror_transform(inputs['T_stereo'], flip)
        return torch.where(flip[:, None, None, None, None], frames.flip(-1), frames)

    def _jitter(self, frames: Tensor, key: Tensor) -> Tensor:
        draws = uniform_many(key, dict(jitter=1, colour=4))
        chosen = draws['jitter'][:, 0] < self.jitter_prob
        jittered = colour_jitter(frames, draws['colour'], self.jitter)
        return torch.where(chosen[:, None, None, None, None], jittered, frames)

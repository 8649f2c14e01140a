"""Retinex split of an image: smooth illumination times reflectance. Pure functions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# half a grey level of 8 bits: the logarithm of black
DARKEST = 0.5 / 255


def gaussian_lowpass(x: Tensor, sigma: float) -> Tensor:
    """Low-pass that keeps constants: a Gaussian of `sigma` > 0 pixels over (B, C, H, W).

    The map is averaged to a grid of pitch sigma / 1.5, blurred there and interpolated back: the
    same to the eye at a small part of the cost of a kernel of 6 sigma at full resolution.
    """
    height, width = x.shape[-2:]
    pitch = max(1, int(sigma / 1.5))
    size = math.ceil(height / pitch), math.ceil(width / pitch)
    coarse = F.interpolate(x, size, mode='area') if pitch > 1 else x
    sigma = sigma / pitch
    radius = math.ceil(3 * sigma)
    kernel = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    blurred = F.pad(coarse, (radius,) * 4, mode='replicate')
    for dim in (2, 3):
        # sums of shifted maps: on a CPU several times as fast as a convolution of one channel
        length = coarse.shape[dim]
        total = torch.zeros_like(blurred.narrow(dim, 0, length))
        for i, weight in enumerate(kernel):
            total.add_(blurred.narrow(dim, i, length), alpha=weight / sum(kernel))
        blurred = total
    return F.interpolate(blurred, (height, width), mode='bilinear') if pitch > 1 else blurred


def retinex_split(image: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """log L = lowpass(log max_c I), R = I / L; so R * L is the image I (B, 3, H, W) in [0, 1]
    again.

    Land and McCann's model with the illumination estimated as the smooth part of the brightest
    channel (Jobson et al., "Properties and performance of a center/surround retinex", 1997). L (B,
    1, H, W) > 0; R (B, 3, H, W) >= 0, about 1 on average in its brightest channel.
    """
    brightest = image.amax(1, keepdim=True).clamp(min=DARKEST)
    illumination = gaussian_lowpass(brightest.log(), sigma).exp()
    return illumination, image / illumination


def strong_edges(image: Tensor, blur: float, grow: int) -> Tensor:
    """Where large things end, (B, 1, H, W) in [0, 1]: 0 where the gradient of the image, blurred by
    `blur` pixels (finer texture is no edge), is below three times its mean, 1 above five times.
    Edges grow by `grow` pixels on both sides."""
    grey = gaussian_lowpass(image.mean(1, keepdim=True), blur)
    padded = F.pad(grey, (1, 1, 1, 1), mode='replicate')
    dx = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    dy = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    gradient = (dx * dx + dy * dy).sqrt()
    relative = gradient / gradient.mean((2, 3), keepdim=True).clamp(min=1e-6)
    edges = ((relative - 3) / 2).clamp(0, 1)
    for kernel in ((2 * grow + 1, 1), (1, 2 * grow + 1)):
        edges = F.max_pool2d(edges, kernel, 1, (kernel[0] // 2, kernel[1] // 2))
    return edges

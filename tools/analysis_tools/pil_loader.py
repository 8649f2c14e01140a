"""Loading of one training sample in the shape that Pillow-based depth code bases give it.

What `benchmark_training.py` measures mmscd's pipeline against. Every frame is decoded, half of the
samples are flipped, and the frame is resized with a Lanczos filter to four scales, each from the
one before. Then every image is converted to a float tensor twice, as it is and colour jittered;
half of the samples are jittered. In the widely copied loader of Monodepth2 the images that are
converted and jittered include the full-size frame, which is dropped afterwards (`full_size`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor


def shift_hue(image: Image.Image, turns: float) -> Image.Image:
    """Rotate the hue by a number of turns in [-0.5, 0.5], through HSV."""
    hue, saturation, value = image.convert('HSV').split()
    # uint8 wraps around, as the hue does
    hue = Image.fromarray(np.array(hue) + np.uint8(int(turns * 255) % 256))
    return Image.merge('HSV', (hue, saturation, value)).convert('RGB')


def enhance(enhancer: Callable, image: Image.Image, factor: float) -> Image.Image:
    """One of Pillow's enhancers."""
    return enhancer(image).enhance(factor)


def make_jitter(rng: random.Random) -> Callable[[Image.Image], Image.Image]:
    """Brightness, contrast, saturation (+-0.2) and hue (+-0.1 turns) in random order; the same
    draws for every image that the function is called with."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    steps = [partial(enhance, enhancer, factor=rng.uniform(0.8, 1.2)) for enhancer in enhancers]
    steps.append(partial(shift_hue, turns=rng.uniform(-0.1, 0.1)))
    rng.shuffle(steps)

    def jitter(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return jitter


def to_tensor(image: Image.Image) -> Tensor:
    """(3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image, copy=True))
    return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def load_sample(
    paths: Sequence[str],
    size: tuple[int, int],
    number: int,
    scales: int = 4,
    full_size: bool = True,
) -> dict[tuple, Tensor]:
    """One sample.

    Args:
        paths: files of the frames.
        size: (width, height) at scale 0.
        number: of the sample. Odd ones are jittered, and every second pair is flipped: four
            samples in a row cost what is expected with probabilities of 0.5.
        scales: scale k has 1 / 2^k of the size.
        full_size: convert (and jitter) the frames at their original size too.

    Returns:
        Tensors by (kind, frame, scale).
    """
    jitter = make_jitter(random.Random(number)) if number % 2 else lambda image: image
    tensors = {}
    for frame, path in enumerate(paths):
        with open(path, 'rb') as stream, Image.open(stream) as opened:
            image = opened.convert('RGB')
        if number // 2 % 2:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        images = {-1: image}
        for scale in range(scales):
            smaller = (size[0] // 2**scale, size[1] // 2**scale)
            images[scale] = images[scale - 1].resize(smaller, Image.Resampling.LANCZOS)
        for scale, image in images.items():
            if scale >= 0 or full_size:
                tensors['colour', frame, scale] = to_tensor(image)
                tensors['jittered', frame, scale] = to_tensor(jitter(image))
    return {key: value for key, value in tensors.items() if key[2] >= 0}

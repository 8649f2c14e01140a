"""What several losses and pixel weights need: means and medians per sample."""

from __future__ import annotations

import torch
from torch import Tensor

from mmscd.models.outputs import StepOutputs


def masked_mean(values: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """Weighted mean per sample, then the mean over samples.

    A mean over the pooled pixels of a batch would weigh samples by their number of valid pixels,
    and differ between one process and several.

    Args:
        values: (B, C, H, W).
        weight: (B, 1, H, W), bool or >= 0; a sample without any counts as 0.
        eps: smallest sum of weights that is divided by.

    Returns:
        A scalar.
    """
    weight = weight.to(values.dtype)
    total = weight.sum((2, 3)).clamp(min=eps)
    return ((values * weight).sum((2, 3)) / total).mean()


def sample_median(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """Lower median of each sample; no gradient flows through it.

    The exact derivative of a median lies on one single pixel, a spike that no network should be
    taught by, so medians are constants to the gradient.

    Args:
        values: (B, ...), finite.
        valid: bool, same shape; None means all.

    Returns:
        (B,); 0 where no value is valid.
    """
    flat = values.detach().flatten(1)
    if valid is not None:
        flat = torch.where(valid.flatten(1), flat, flat.new_full((), torch.nan))
    if flat.device.type == 'cpu':
        return flat.nanmedian(1).values.nan_to_num()
    # CUDA refuses medians along a dimension in deterministic mode; NaN sorts last
    count = (~flat.isnan()).sum(1, keepdim=True)
    index = ((count - 1) // 2).clamp(min=0)
    return flat.sort(1).values.gather(1, index)[:, 0].nan_to_num()


def product_of_weights(outputs: StepOutputs) -> Tensor | None:
    """All of `outputs.pixel_weights` multiplied, (B, 1, H, W); None where there are none."""
    product = None
    for weight in outputs.pixel_weights.values():
        product = weight if product is None else product * weight
    return product

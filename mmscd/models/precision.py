"""Which form of a depth network predicts: as it is, or the fastest of those that are exact enough.

`float32` is the network as it is. `auto` tries `FastNetwork` in the types that the processor takes,
on real images of the real size, and keeps the fastest whose disparity is that of float32 within a
tolerance. Times differ from run to run, and with them the choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from .fast_network import FastNetwork

PRECISIONS = ('auto', 'float32')
# of the disparity in (0, 1), in any pixel: of pictures, and of what is judged. bfloat16 changes the
# third decimal of metrics, forms in float32 none that is printed
TOLERANCE, EXACT = 2e-3, 1e-5
# images that are predicted as in float32 before it pays to choose
PATIENCE = 16
_ROUNDS = 3

Disparity = Callable[[Tensor], Tensor]


def use_precision(model: nn.Module, precision: str, tolerance: float = TOLERANCE) -> None:
    """Let an estimator in eval mode predict with 'auto' or 'float32'; its weights stay as they are.
    ValueError: another word."""
    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {PRECISIONS}, got {precision!r}')
    vars(model).pop('finest_disp', None)
    parts = all(hasattr(model, part) for part in ('finest_disp', 'backbone', 'disp_head'))
    if precision == 'auto' and parts:
        model.finest_disp = AutoPrecision(model, tolerance)


class AutoPrecision:
    """Normalised images to the finest disparity, by a form that is chosen after `PATIENCE` images
    and used for all others of the same shape."""

    def __init__(self, model: nn.Module, tolerance: float) -> None:
        self.model, self.plain, self.tolerance = model, model.finest_disp, tolerance
        self.seen, self.shape, self.chosen = 0, torch.Size(), self.plain

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 1, H, W), float32."""
        if not self.shape and self.seen >= PATIENCE:
            self.shape, self.chosen = image.shape[1:], self._choose(image)
        self.seen += len(image)
        return (self.chosen if image.shape[1:] == self.shape else self.plain)(image)

    def _choose(self, image: Tensor) -> Disparity:
        forms: dict[str, Disparity] = {'float32 as it is': self.plain, **fast_forms(self.model)}
        changes = compare_forms(forms, image, self.tolerance)
        seconds = time_forms({name: forms[name] for name in changes}, image)
        best = min(seconds, key=seconds.__getitem__)
        said = f'{next(iter(seconds.values())) / seconds[best]:.1f}x of float32, disparity within'
        print_log(f'precision: {best}: {said} {changes[best]:.0e}', 'current')
        return forms[best]


def fast_forms(model: nn.Module) -> dict[str, FastNetwork]:
    """By what is said of them, the fast forms that a model's device may gain from."""
    device = next(model.parameters()).device
    dtypes = [torch.float32]
    if device.type == 'cuda':
        dtypes.append(torch.float16)
        takes_bfloat16 = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        takes_bfloat16 = device.type == 'cpu' and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if takes_bfloat16:
        dtypes.append(torch.bfloat16)
    parts = model.backbone, model.disp_head
    return {
        f'{str(dtype)[6:]}, channels_last, batch norm folded': FastNetwork(*parts, dtype)
        for dtype in dtypes
    }


@torch.no_grad()
def compare_forms(forms: dict[str, Disparity], image: Tensor, tolerance: float) -> dict[str, float]:
    """Largest change of disparity against the first form, of those within the tolerance."""
    reference, changes = None, {}
    for name, form in forms.items():
        try:
            disp = form(image)
        except RuntimeError:  # a part that does not take this type
            if reference is None:
                raise
            continue
        reference = disp if reference is None else reference
        change = (disp - reference).abs().max().item()
        if change <= tolerance:  # and is a number
            changes[name] = change
    return changes


@torch.no_grad()
def time_forms(forms: dict[str, Disparity], image: Tensor) -> dict[str, float]:
    """Seconds of the fastest of some calls, in turns, because other work comes and goes."""
    seconds = dict.fromkeys(forms, float('inf'))
    for _ in range(_ROUNDS):
        for name, form in forms.items():
            _wait(image)
            start = time.perf_counter()
            form(image)
            _wait(image)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def _wait(image: Tensor) -> None:
    if image.is_cuda:
        torch.cuda.synchronize(image.device)

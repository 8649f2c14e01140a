"""Parameters and operations of what a prediction passes through."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmscd.utils.text_table import text_table


def count_flops(graph: nn.Module, size: tuple[int, int]) -> dict[str, dict[str, int]]:
    """Parameters and FLOPs of the parts of a `DepthGraph` on the CPU, for one image of (width,
    height): `backbone`, `disp_head`, `total` -> params, macs, flops.

    Convolutions, matrix products and attention count; normalisation, activations and resizing do
    not. One multiply-add is one MAC and two FLOPs.
    """
    width, height = size
    # fused attention hides its matrix products from the counter
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            graph(torch.zeros(1, 3, height, width))
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    by_module = counter.get_flop_counts()
    rows = {}
    for part in ('backbone', 'disp_head'):
        # the counter's names begin with the class of the whole
        flops = sum(by_module.get(f'{type(graph).__name__}.{part}', {}).values())
        params = sum(p.numel() for p in getattr(graph, part).parameters())
        rows[part] = dict(params=params, macs=flops // 2, flops=flops)
    rows['total'] = {key: sum(row[key] for row in rows.values()) for key in rows['backbone']}
    counted = sum(by_module['Global'].values())
    if counted != rows['total']['flops']:
        raise RuntimeError(f'the parts have {rows["total"]["flops"]} FLOPs, the whole {counted}')
    return rows


def flops_table(rows: dict[str, dict[str, int]]) -> str:
    """A line per part of `count_flops`, in millions and billions."""
    lines = [['part', 'parameters (M)', 'MACs (G)', 'FLOPs (G)']]
    for part, row in rows.items():
        numbers = row['params'] / 1e6, row['macs'] / 1e9, row['flops'] / 1e9
        lines.append([part, *(f'{number:.3f}' for number in numbers)])
    return text_table(lines)

"""Count parameters and operations of the depth network of a config; needs no weights and no data.

Example: python tools/analysis_tools/get_flops.py configs/monodepth2/monodepth2_r18_kitti.py

Counted is what a prediction passes through: backbone and disparity head, one image. Convolutions,
matrix products and attention count (torch.utils.flop_counter); normalisation, activations and
resizing do not. One multiply-add is one MAC and two FLOPs: papers often call MACs "FLOPs".
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmscd.utils.command_line import parse_size


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    parser.add_argument('--out', type=Path, help='write the numbers to this json file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    return parser.parse_args(argv)


def count(graph: Any, size: tuple[int, int]) -> dict[str, dict[str, int]]:
    """Parameters and FLOPs of the parts of a DepthGraph.

    Args:
        graph: on the CPU.
        size: (width, height).

    Returns:
        part (`backbone`, `disp_head`, `total`) -> params, macs, flops.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    width, height = size
    # fused attention hides its matrix products from the counter
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            with sdpa_kernel(SDPBackend.MATH):
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


def main(argv: Sequence[str] | None = None) -> None:
    """Count and print."""
    args = parse_args(argv)
    from terminaltables import AsciiTable

    from mmscd.deployment import DepthGraph, load_network, network_size
    from mmscd.utils.files import write_json

    try:
        cfg, model = load_network(args.config, None, args.cfg_options)
        size = args.size or network_size(cfg)
        graph = DepthGraph(model)
        graph.check_size(size)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f'get_flops: {error}') from error
    rows = count(graph, size)
    table = [['part', 'parameters (M)', 'MACs (G)', 'FLOPs (G)']]
    for part, row in rows.items():
        numbers = row['params'] / 1e6, row['macs'] / 1e9, row['flops'] / 1e9
        table.append([part, *(f'{number:.3f}' for number in numbers)])
    names = type(model.backbone).__name__, type(model.disp_head).__name__
    print(f'{Path(args.config).stem}: {names[0]} + {names[1]}, one image of {size[0]}x{size[1]}')
    print(AsciiTable(table).table)
    print('pose net, teacher and graph take no part in a prediction and are not counted')
    if args.out:
        content = dict(config=args.config, width=size[0], height=size[1], **rows)
        write_json(args.out, content)


if __name__ == '__main__':
    main()

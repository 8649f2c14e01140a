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

from mmscd.utils.command_line import add_model, make_parser, output_file, parse_size, run_tool
from mmscd.utils.files import write_json


def run(args: argparse.Namespace) -> None:
    """Count, print, write."""
    from mmscd.deployment import DepthGraph, load_network, network_size
    from mmscd.deployment.flops import count_flops, flops_table

    cfg, model = load_network(args.config, None, args.cfg_options)
    width, height = size = args.size or network_size(cfg)
    graph = DepthGraph(model)
    graph.check_size(size)
    rows = count_flops(graph, size)
    parts = f'{type(model.backbone).__name__} + {type(model.disp_head).__name__}'
    print(f'{Path(args.config).stem}: {parts}, one image of {width}x{height}')
    print(flops_table(rows))
    print('pose net, teacher and graph take no part in a prediction and are not counted')
    if args.out:
        write_json(args.out, dict(config=args.config, width=width, height=height, **rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=None)
    parser.add_argument('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    parser.add_argument('--out', type=output_file, help='write the numbers to this json file')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

"""Latency and throughput of the depth network: batch 1 and 8 by default.

Example: python tools/analysis_tools/benchmark_inference.py CONFIG [CHECKPOINT] --device cuda
         python tools/analysis_tools/benchmark_inference.py CONFIG --onnx depth.onnx

Timed is one call from images in [0, 1], already on the device, to inverse depth on the device:
normalisation, backbone, disparity head. Reading and resizing of images are not in it. The network
as it is and the forms that `precision='auto'` chooses from take turns, and every call is timed by
itself, the device synchronised before and after. Weights do not change the time, so no checkpoint
is needed, but they do change what lower precision changes. Memory: on CUDA the peak of what
PyTorch allocated, on a CPU the peak of the process so far, libraries included.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.command_line import add_model, make_parser, output_file, parse_size, run_tool
from mmscd.utils.files import write_json


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=False)
    add = parser.add_argument
    add('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    add('--batch', type=int, nargs='+', default=[1, 8], help='default: 1 8')
    add('--warmup', type=int, default=10, help='untimed calls (default 10)')
    add('--repeats', type=int, default=100, help='timed calls (default 100)')
    add('--device', default='cpu', help='cpu (default), cuda, cuda:1, ...')
    add('--threads', type=int, help='of torch and onnxruntime on a CPU')
    add('--onnx', type=Path, help='time this file in onnxruntime too')
    add('--out', type=output_file, help='write the numbers to this json file')
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    import torch

    from mmscd.deployment import DepthGraph, load_network, network_size
    from mmscd.deployment.benchmark import benchmark, describe_machine, timing_table

    if args.threads:
        torch.set_num_threads(args.threads)
    cfg, model = load_network(args.config, args.checkpoint, args.cfg_options)
    size = args.size or network_size(cfg)
    graph = DepthGraph(model)
    rows, notes = benchmark(
        graph, size, args.batch, args.warmup, args.repeats, args.device, args.onnx
    )  # fmt: skip
    machine = describe_machine(args.device)
    print(f'{Path(args.config).stem}, {size[0]}x{size[1]}, {machine}')
    print(f'{args.warmup} calls to warm up, {args.repeats} timed one by one')
    print('\n'.join([*notes, timing_table(rows)]))
    if args.out:
        content = dict(config=args.config, width=size[0], height=size[1])
        write_json(args.out, dict(content, machine=machine, repeats=args.repeats, rows=rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run_tool(build_parser(), run, argv)


if __name__ == '__main__':
    main()

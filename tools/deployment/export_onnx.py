"""Export the depth network of a checkpoint to ONNX, torch.export or TorchScript.

Example::

    python tools/deployment/export_onnx.py configs/monodepth2/monodepth2_r18_kitti.py \
        CHECKPOINT depth.onnx --images data/frames --dynamic-batch --simplify

The file takes `image`, float32 (B, 3, H, W), RGB in [0, 1] (divide uint8 by 255; mean and
deviation are inside), and gives `inv_depth`, float32 (B, 1, H, W), in 1 / metres, up to scale for
monocular training. Before it is written, its output is compared with the model's on real images;
a file that differs by more than the tolerance is not written. `tools/deployment/onnx_demo.py`
runs it without PyTorch. Needs `pip install mmscd[deploy]` (not for TorchScript, torch.export).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmscd.utils.command_line import parse_size

# relative; float16 has 11 bits of mantissa, and its error grows with the depth of the network
TOLERANCE, TOLERANCE_FP16 = 1e-4, 2e-2


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', help='of a training, published or converted')
    parser.add_argument('out', type=Path, help='.onnx, .pt2 (torch.export) or .pt (TorchScript)')
    parser.add_argument(
        '--size', type=parse_size, help="input, e.g. 640x192; default: the config's"
    )
    parser.add_argument('--batch', type=int, default=1, help='images per call (default 1)')
    parser.add_argument('--dynamic-batch', action='store_true', help='any number of images')
    parser.add_argument(
        '--dynamic-size', action='store_true', help='any size whose sides are multiples of 32'
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX, 13 to 23 (default 18)')
    parser.add_argument('--simplify', action='store_true', help='fold constants with onnxslim')
    parser.add_argument(
        '--fp16', action='store_true', help='weights and arithmetic in float16, in- and output not'
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--torch-export', action='store_true', help='a torch.export program (.pt2)')
    kind.add_argument('--torchscript', action='store_true', help='a traced TorchScript file (.pt)')
    group = parser.add_argument_group('comparison with PyTorch')
    group.add_argument(
        '--images',
        nargs='+',
        help='files or folders, searched below; default: random ones, which say less',
    )
    group.add_argument('--max-images', type=int, help='compare at most so many')
    group.add_argument(
        '--tolerance',
        type=float,
        help='largest relative difference of disparity and inverse depth '
        f'(default {TOLERANCE:g}, float16 {TOLERANCE_FP16:g})',
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    return parser.parse_args(argv)


def check_sizes(size: tuple[int, int], stride: int, dynamic: bool) -> list[tuple[int, int]]:
    """Sizes to compare at: with open sizes also a smaller one of another shape."""
    if not dynamic:
        return [size]
    return [size, (max(2, size[0] // stride // 2) * stride, (size[1] // stride + 1) * stride)]


def run(args: argparse.Namespace) -> None:
    """Export; raises where nothing was written."""
    from mmscd.deployment import (
        DepthGraph,
        ExportOptions,
        check_parity,
        export,
        load_network,
        network_size,
        read_frames,
        run_exported,
    )
    from mmscd.deployment.formats import SUFFIXES, check_options
    from mmscd.utils.files import atomic_write

    kind = 'torchscript' if args.torchscript else 'torch-export' if args.torch_export else 'onnx'
    if args.out.suffix != SUFFIXES[kind]:
        raise ValueError(f'a file of {kind} ends in {SUFFIXES[kind]}, got {args.out}')
    cfg, model = load_network(args.config, args.checkpoint, args.cfg_options)
    size = args.size or network_size(cfg)
    graph = DepthGraph(model, half=args.fp16)
    options = ExportOptions(
        size, args.batch, args.dynamic_batch, args.dynamic_size, args.opset, args.simplify
    )
    check_options(graph, kind, options)
    # before the export: a wrong path should not cost a minute
    sizes = check_sizes(size, graph.stride, args.dynamic_size)
    frames = {s: read_frames(args.images, s, args.max_images) for s in sizes}
    count = sum(p.numel() for p in graph.parameters()) / 1e6
    parts = f'{type(model.backbone).__name__} and {type(model.disp_head).__name__}'
    print(f'graph: {parts}, {count:.2f} M parameters; no pose net, teacher or distillation graph')
    start = time.perf_counter()
    data = export(graph, kind, options, describe(args, graph, size))
    print(f'exported to {kind} in {time.perf_counter() - start:.1f} s, {len(data) / 2**20:.1f} MiB')
    compare(args, model, run_exported(kind, data), frames, check_parity)
    atomic_write(args.out, data)
    batch = 'batch' if args.dynamic_batch else args.batch
    shape = f'({batch}, 3, ' + ('height, width)' if args.dynamic_size else f'{size[1]}, {size[0]})')
    print(f'wrote {args.out}: image {shape} RGB in 0..1 -> inv_depth')


def describe(args: argparse.Namespace, graph: Any, size: tuple[int, int]) -> dict[str, str]:
    """What an ONNX file says about itself; `onnx_demo.py` reads it."""
    from mmscd.version import __version__

    return dict(
        framework='mmscd',
        version=__version__,
        config=Path(args.config).stem,
        input='RGB in 0..1, float32, batch x 3 x height x width',
        output='inverse depth, batch x 1 x height x width',
        width=str(size[0]),
        height=str(size[1]),
        stride=str(graph.stride),
        min_depth=repr(graph.min_depth),
        max_depth=repr(graph.max_depth),
        precision='float16' if args.fp16 else 'float32',
    )


def compare(
    args: argparse.Namespace,
    model: Any,
    function: Callable,
    frames: dict[tuple[int, int], list],
    check_parity: Callable,
) -> None:
    """Print the differences; ValueError where they exceed the tolerance."""
    tolerance = args.tolerance
    if tolerance is None:
        tolerance = TOLERANCE_FP16 if args.fp16 else TOLERANCE
    what = 'images' if args.images else 'random images (--images takes real ones)'
    for number, ((width, height), images) in enumerate(frames.items()):
        # an open batch is tried with two images as well as with one
        batches = [1, 2] if args.dynamic_batch and not number else [args.batch]
        for batch in batches:
            parity = check_parity(model, function, images, batch)
            print(
                f'parity with PyTorch on {parity.images} {what}, {width}x{height}, batch {batch}: '
                f'max relative difference {parity.disp:.2e} (disparity), {parity.inv_depth:.2e} '
                f'(inverse depth)'
            )
            if not parity.largest <= tolerance:
                raise ValueError(
                    f'the exported file differs from the model by {parity.largest:.2e} at '
                    f'{parity.worst or "all images"}, more than {tolerance:g}: nothing was '
                    'written. --tolerance allows more'
                )


def main(argv: Sequence[str] | None = None) -> None:
    """Export; one sentence and exit code 1 where it cannot be done."""
    args = parse_args(argv)
    try:
        run(args)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise SystemExit(f'export_onnx: {error}') from error


if __name__ == '__main__':
    main()

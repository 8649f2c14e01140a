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
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.command_line import add_model, make_parser, parse_size, run_tool


def run(args: argparse.Namespace) -> None:
    """Export; raises where nothing was written."""
    from mmscd.deployment import export_checkpoint

    export_checkpoint(**vars(args))


def main(argv: Sequence[str] | None = None) -> None:
    """Export; one sentence and exit code 1 where it cannot be done."""
    parser = make_parser(__doc__)
    add_model(parser)
    parser.add_argument('out', type=Path, help='.onnx, .pt2 (torch.export) or .pt (TorchScript)')
    parser.add_argument('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    parser.add_argument('--batch', type=int, default=1, help='images per call (default 1)')
    parser.add_argument('--dynamic-batch', action='store_true', help='any number of images')
    parser.add_argument(
        '--dynamic-size', action='store_true', help='any size whose sides are multiples of 32'
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX, 13 to 23 (default 18)')
    parser.add_argument('--simplify', action='store_true', help='fold constants with onnxslim')
    parser.add_argument(
        '--fp16', action='store_true', dest='half', help='compute in float16; in- and output not'
    )
    parser.set_defaults(kind='onnx')
    kind = parser.add_mutually_exclusive_group()
    for name, help in (
        ('torch-export', 'a torch.export program (.pt2)'),
        ('torchscript', 'a traced TorchScript file (.pt)'),
    ):
        kind.add_argument(f'--{name}', action='store_const', dest='kind', const=name, help=help)
    group = parser.add_argument_group('comparison with PyTorch')
    group.add_argument('--images', nargs='+', help='files or folders; default: random ones')
    group.add_argument('--max-images', type=int, help='compare at most so many')
    group.add_argument(
        '--tolerance', type=float, help='largest relative difference (default 1e-4, float16 2e-2)'
    )
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

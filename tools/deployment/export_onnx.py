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
from functools import partial

from mmscd.utils.command_line import add_model, make_parser, output_file, parse_size, run_tool


def run(args: argparse.Namespace) -> None:
    """Export; raises where nothing was written."""
    from mmscd.deployment import export_checkpoint

    export_checkpoint(**vars(args))


def main(argv: Sequence[str] | None = None) -> None:
    """Export; one sentence and exit code 1 where it cannot be done."""
    parser = make_parser(__doc__)
    add_model(parser)
    add, switch = parser.add_argument, partial(parser.add_argument, action='store_true')
    add('out', type=output_file, help='.onnx, .pt2 (torch.export) or .pt (TorchScript)')
    add('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    add('--batch', type=int, default=1, help='images per call (default 1)')
    switch('--dynamic-batch', help='any number of images')
    switch('--dynamic-size', help='any size whose sides are multiples of 32')
    add('--opset', type=int, default=18, help='of ONNX, 13 to 23 (default 18)')
    switch('--simplify', help='fold constants with onnxslim')
    switch('--fp16', dest='half', help='compute in float16; in- and output not')
    parser.set_defaults(kind='onnx')
    kind = partial(parser.add_mutually_exclusive_group().add_argument, action='store_const')
    kind('--torch-export', dest='kind', const='torch-export', help='torch.export program (.pt2)')
    kind('--torchscript', dest='kind', const='torchscript', help='traced TorchScript file (.pt)')
    add = parser.add_argument_group('comparison with PyTorch').add_argument
    add('--images', nargs='+', help='files or folders; default: random ones')
    add('--max-images', type=int, help='compare at most so many')
    add('--tolerance', type=float, help='largest relative difference (1e-4, float16 2e-2)')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

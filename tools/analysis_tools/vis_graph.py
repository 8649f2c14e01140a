"""Draw what the student and its semantic teacher see: one sheet per frame.

Example: python tools/analysis_tools/vis_graph.py CONFIG work_dirs/NAME/iter_N.pth \
    --images a.png b.png --corrupt snow --severity 3 --pixel 610 200 --out sheets

Left the image as it is, right corrupted; below one another: image, student feature map, teacher
feature map, predicted depth, and with --pixel the edges that leave this pixel's vertex in the
student's and in the teacher's graph, without the vertex itself, which is framed. How the maps are
coloured: `mmscd/visualization/graph_sheet.py`.

The checkpoint must be one of a training with a distiller; published ones have no graph.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.corruptions import CORRUPTIONS
from mmscd.utils.command_line import add_model, make_parser, output_folder, run_tool
from mmscd.utils.config import load_config
from mmscd.visualization import save_image
from mmscd.visualization.graph_sheet import Looker, draw_sheet


def run(args: argparse.Namespace) -> None:
    """Draw the sheets."""
    others = args.corrupted_images or [None] * len(args.images)
    if len(others) != len(args.images):
        raise ValueError(f'--corrupted-images: {len(others)} for {len(args.images)} images')
    cfg = load_config(args.config, args.cfg_options)
    size = args.size and tuple(args.size)
    looker = Looker(cfg, args.checkpoint, size, args.pair, args.device)
    corruption = args.corrupt and (args.corrupt, args.severity)
    for path, other in zip(args.images, others, strict=True):
        out = args.out / f'{path.stem}_graph.png'
        pixel = args.pixel and tuple(args.pixel)
        save_image(draw_sheet(looker, path, pixel, corruption, other), out)
        print(out)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = make_parser(__doc__)
    add_model(parser)
    parser.add_argument('--images', nargs='+', type=Path, required=True)
    parser.add_argument('--out', type=output_folder, required=True, help='folder for the sheets')
    other = parser.add_mutually_exclusive_group()
    other.add_argument('--corrupt', choices=CORRUPTIONS, help='name of a corruption')
    about = 'instead: the same frames in bad weather'
    other.add_argument('--corrupted-images', nargs='+', type=Path, help=about)
    parser.add_argument('--severity', type=int, default=3, choices=range(1, 6))
    about = 'column and row in the image file'
    parser.add_argument('--pixel', nargs=2, type=int, metavar=('U', 'V'), help=about)
    parser.add_argument('--size', nargs=2, type=int, metavar=('W', 'H'), help="network's input")
    parser.add_argument('--pair', type=int, default=0, help='which graph, where there are several')
    parser.add_argument('--device', default='cpu')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

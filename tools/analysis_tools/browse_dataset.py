"""Draw what a config trains on: network input, warped sources, Retinex split, perturbed texture.

Examples::

    python tools/analysis_tools/browse_dataset.py configs/scd/scd_r18_kitti.py --num 8
    python tools/analysis_tools/browse_dataset.py CONFIG --split val --frame-ids 0 s
    python tools/analysis_tools/browse_dataset.py CONFIG --checkpoint work_dirs/NAME/iter_N.pth

One PNG per sample. It shows what the training itself would see: the samples come in the order of
the config's sampler, with their own random draws, and the perturbation is the one of the first loss
that has one. A config without (Monodepth2) shows the network input only.

Sources are shown as the target's camera would see them, where depth and pose are known: the stereo
partner by ground truth (second example), neighbours in time by a network (third one). Warped and
target lie over each other where intrinsics, pose and depth are right: edges go on across the cells
of the checkerboard, and the difference is small. A wrong focal length shows at once with the stereo
partner; --focal-factor 1.2 draws what it would look like. A network's own motion hides it where the
car drives straight on: there every focal length explains the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from mmscd.datasets.frames import parse_frame_id
from mmscd.utils.command_line import add_model, make_parser, output_folder, run_tool
from mmscd.utils.config import load_config
from mmscd.visualization.browse import browse


def run(args: argparse.Namespace) -> None:
    """Draw."""
    for name, low in (('num', 1), ('panel_width', 160), ('focal_factor', 0.01)):
        if getattr(args, name) < low:
            option = f'--{name.replace("_", "-")}'
            raise ValueError(f'{option} must be at least {low}, got {getattr(args, name)}')
    torch.set_num_threads(1)
    options = vars(args)
    cfg = load_config(options.pop('config'), options.pop('cfg_options'))
    for line in browse(cfg, **options):
        print(line)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = make_parser(__doc__)
    add_model(parser, checkpoint=None)
    out = 'work_dirs/browse_dataset'
    parser.add_argument('--out', type=output_folder, default=out, help='folder')
    parser.add_argument('--num', type=int, default=8, help='so many samples')
    parser.add_argument('--split', choices=['train', 'val'], default='train')
    parser.add_argument('--panel-width', type=int, default=400, help='pixels, at least 160')
    parser.add_argument('--checkpoint', help="warps by the network's depth and motion")
    parser.add_argument('--frame-ids', nargs='+', type=parse_frame_id, help='instead, e.g. 0 s')
    parser.add_argument('--focal-factor', type=float, default=1.0, help='a wrong focal length')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

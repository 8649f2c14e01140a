"""Where a depth network errs: the worst images first, by distance and by semantic class.

Examples::

    python tools/analysis_tools/analyze_errors.py CONFIG CHECKPOINT --out work_dirs/errors
    python tools/analysis_tools/analyze_errors.py CONFIG CHECKPOINT --labels FOLDER
    python tools/analysis_tools/analyze_errors.py CONFIG CHECKPOINT \
        --teacher SEGMENTOR_CONFIG SEGMENTOR_CHECKPOINT --teacher-size 640 192

Runs the config's test set and writes to --out:

- `worst.png`: image | depth | error of the worst images by abs_rel, worst on top;
- `images.csv`: the metrics of every image, worst first;
- `errors.csv` and `errors.png`: abs_rel, share of pixels and median signed error, (pred - gt) / gt,
  of every distance and class (positive: seen too far away), in the csv the hole rate too: the share
  of pixels seen more than 1.5 times too far. Moving cars with holes show in the hole rate of
  `movable`; a class whose abs_rel is high at every distance the network has not understood.

Depth is aligned per image as the config's metric does it. Classes come from label images (train
ids, found by the end of the image's path) or from a segmentation network of mmseg; its mistakes are
then in the table as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.evaluation.error_analysis import DISTANCES
from mmscd.evaluation.error_classes import LabelFolder, TeacherLabels
from mmscd.evaluation.error_run import analyze_errors
from mmscd.utils.command_line import add_model, make_parser, output_folder, run_tool
from mmscd.utils.config import load_config
from mmscd.visualization.error_pictures import save_error_pictures
from mmscd.visualization.rendering import MIN_PANEL_WIDTH


def run(args: argparse.Namespace) -> None:
    """Analyse, print the tables, write the files."""
    if args.panel_width < MIN_PANEL_WIDTH:
        raise ValueError(f'--panel-width must be {MIN_PANEL_WIDTH} or more, got {args.panel_width}')
    labels = None
    if args.labels is not None:
        labels = LabelFolder(args.labels, args.label_suffix, args.classes)
    elif args.teacher is not None:
        labels = TeacherLabels(*args.teacher, args.teacher_size, args.device, args.classes)
    cfg = load_config(args.config, args.cfg_options)
    analysis = analyze_errors(
        cfg, args.checkpoint, labels, args.distances, args.worst, args.max_images, args.device
    )
    print(analysis.report(args.out))
    save_error_pictures(analysis, args.out, args.panel_width)
    print(f'wrote worst.png, images.csv, errors.csv, errors.png to {args.out}')


def main(argv: Sequence[str] | None = None) -> None:
    """Analyse; one sentence and exit code 1 where it cannot be done."""
    parser = make_parser(__doc__)
    add_model(parser)
    add = parser.add_argument
    add('--out', type=output_folder, default='work_dirs/errors', help='folder')
    add('--worst', type=int, default=8, help='images of the sheet (default 8)')
    add('--max-images', type=int, help='analyse only so many')
    add('--distances', nargs='+', type=float, default=DISTANCES, help='edges of bins, metres')
    add('--panel-width', type=int, default=480, help='pixels, at least 240')
    either = parser.add_mutually_exclusive_group().add_argument
    either('--labels', type=Path, help='folder of label images (.png)')
    either('--teacher', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='segmentor of mmseg')
    add('--label-suffix', default='', help='between image name and .png')
    add('--teacher-size', nargs=2, type=int, metavar=('W', 'H'), help='its input')
    add('--classes', nargs='+', help="names (default: the teacher's, Cityscapes')")
    add('--device', help='cpu, cuda:0, ...; default: the best there is')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

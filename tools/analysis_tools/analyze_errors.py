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
import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from error_classes import LabelFolder, TeacherLabels
from mmengine.config import Config, DictAction
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope

import mmscd.datasets  # noqa: F401, registers the datasets
from mmscd.apis import init_model
from mmscd.evaluation import METRIC_NAMES, DepthProtocol, evaluate_pixels, select_pixels
from mmscd.evaluation.error_analysis import (
    ALL,
    CITYSCAPES_CLASSES,
    DISTANCES,
    MOVABLE,
    ErrorTally,
    make_group_table,
    write_groups,
)
from mmscd.evaluation.functional import align_depth, clip_depth
from mmscd.evaluation.samples import get_map, predicted_depth
from mmscd.evaluation.tables import summarize, write_per_image
from mmscd.registry import DATASETS
from mmscd.robustness.benchmark import find_protocol
from mmscd.utils.config import load_config
from mmscd.visualization.error_matrix import draw_error_matrix
from mmscd.visualization.rendering import (
    read_image,
    render_prediction,
    save_image,
    stack_panels,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', help='of that config')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/errors'), help='folder')
    parser.add_argument('--worst', type=int, default=8, help='images of the sheet (default 8)')
    parser.add_argument('--max-images', type=int, help='analyse only so many')
    parser.add_argument(
        '--distances', nargs='+', type=float, default=DISTANCES, help='edges of the bins, metres'
    )
    parser.add_argument('--panel-width', type=int, default=480, help='pixels, at least 240')
    parser.add_argument('--max-error', type=float, default=0.5, help='end of the colours')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--labels', type=Path, help='folder of label images (.png)')
    kind.add_argument(
        '--teacher', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='segmentor of mmseg'
    )
    parser.add_argument('--label-suffix', default='', help='between image name and .png')
    parser.add_argument('--teacher-size', nargs=2, type=int, metavar=('W', 'H'), help='its input')
    parser.add_argument('--classes', nargs='+', help="names (default: the teacher's, Cityscapes')")
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the best there is')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    args = parser.parse_args(argv)
    if args.worst < 1:
        parser.error(f'--worst must be at least 1, got {args.worst}')
    if args.panel_width < 240:
        parser.error(f'--panel-width must be at least 240, got {args.panel_width}')
    return args


def build_labels(args: argparse.Namespace) -> tuple[Any, Sequence[str] | None]:
    """What labels an image, and the names of its classes; None without."""
    if args.labels is not None:
        return LabelFolder(args.labels, args.label_suffix), args.classes or CITYSCAPES_CLASSES
    if args.teacher is None:
        return None, None
    teacher = TeacherLabels(*args.teacher, args.teacher_size, args.device or 'cpu')
    return teacher, args.classes or teacher.classes


@torch.no_grad()
def predict(cfg: Config, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Data samples of the test set with predictions, as dicts."""
    model = init_model(cfg, args.checkpoint, args.device)
    with DefaultScope.overwrite_default_scope('mmscd'):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    count = len(dataset) if args.max_images is None else min(args.max_images, len(dataset))
    for index in range(count):
        batch = default_collate([dataset[index]])
        frames = batch['inputs']['frames'][0, :1]
        batch['inputs']['frames'] = batch['inputs']['frames'][:, :1]
        sample = model.test_step(batch)[0].to_dict()
        yield dict(sample, frame=frames[0].permute(1, 2, 0).numpy())


def show_image(sample: Mapping[str, Any]) -> np.ndarray:
    """The image that belongs to the ground truth, uint8 RGB.

    It is the file, or what the network got where the pipeline has cut a window out of that.
    """
    image = read_image(sample['img_path'])
    return image if image.shape[:2] == tuple(sample['ori_shape']) else sample['frame']


class Analysis:
    """Errors of one image after the other.

    Args:
        protocol: which pixels count, alignment and clipping.
        tally: gets all errors.
        labels: of `error_classes`; None: no classes.
        keep: so many of the worst images.
    """

    def __init__(self, protocol: DepthProtocol, tally: ErrorTally, labels: Any, keep: int) -> None:
        self.protocol, self.tally, self.labels, self.keep = protocol, tally, labels, keep
        self.records: list[dict[str, Any]] = []
        self._worst: list[tuple[float, int, dict]] = []

    def add(self, sample: dict[str, Any]) -> None:
        """One data sample with ground truth and prediction."""
        path, number = sample['img_path'], len(self.records)
        record = dict(img_path=path, sample_idx=sample['sample_idx'], metrics=None)
        self.records.append(record)
        truth = get_map(sample, 'gt_depth')
        if truth is None:
            raise ValueError(f'{path} has no ground truth: does the test set load it (with_gt)?')
        index, gt = select_pixels(truth, self.protocol)
        if gt.size == 0:
            return
        pred = predicted_depth(sample, truth.shape).ravel()[index]
        record['metrics'] = evaluate_pixels(pred, gt, self.protocol)
        aligned = align_depth(pred, gt, self.protocol.alignment, self.protocol.scale)
        aligned = clip_depth(aligned, self.protocol.min_depth, self.protocol.max_depth)
        labels = None
        if self.labels is not None:
            labels = self.labels(path, lambda: show_image(sample), truth.shape).ravel()[index]
        self.tally.add(aligned, gt, labels)
        inverse = get_map(sample, 'pred_inv_depth')
        wanted = ('img_path', 'ori_shape', 'frame')
        kept = dict(inv_depth=inverse, gt=truth, **{key: sample[key] for key in wanted})
        heapq.heappush(self._worst, (record['metrics']['abs_rel'], -number, kept))
        if len(self._worst) > self.keep:
            heapq.heappop(self._worst)

    @property
    def worst_records(self) -> list[dict[str, Any]]:
        """Records by abs_rel, worst first; those without ground truth at the end."""
        return sorted(
            self.records, key=lambda r: -r['metrics']['abs_rel'] if r['metrics'] else float('inf')
        )

    def draw_worst(self, panel_width: int, max_error: float) -> np.ndarray:
        """image | depth | error of the worst images, uint8 RGB."""
        rows = []
        for rank, (_, _, kept) in enumerate(sorted(self._worst, reverse=True), 1):
            image = show_image(kept)
            parts = Path(kept['img_path']).with_suffix('').parts
            name = ' '.join(p for p in parts[-4:] if p not in ('image_02', 'image_03', 'data'))
            rows.append(
                render_prediction(
                    image, kept['inv_depth'], kept['gt'], self.protocol, f'{rank}. {name}',
                    panel_width, max_error, direction='horizontal',
                )
            )  # fmt: skip
        width = max(row.shape[1] for row in rows)
        padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        if len({row.shape for row in padded}) == 1:
            return stack_panels(padded, 'vertical')
        return np.concatenate(padded)


def report(analysis: Analysis, args: argparse.Namespace) -> None:
    """Print the tables and write the files."""
    rows = analysis.tally.summarize()
    records = analysis.worst_records
    summary = summarize([record['metrics'] for record in records])
    means = ', '.join(f'{name} {summary[name]:.4f}' for name in METRIC_NAMES)
    protocol = analysis.protocol.describe()
    print(f'{protocol}\n{summary["n_images"]} images, mean per image: {means}')
    by_distance = {key: cell for key, cell in rows[ALL].items() if key != ALL}
    print(make_group_table({**by_distance, ALL: rows[ALL][ALL]}, 'distance'))
    if analysis.labels is not None:
        pooled = {name: rows[name][ALL] for name in (MOVABLE, ALL) if name in rows}
        by_class = {name: cells[ALL] for name, cells in rows.items() if name not in pooled}
        by_class = dict(sorted(by_class.items(), key=lambda item: -item[1]['abs_rel']))
        print(make_group_table(by_class | pooled, 'class, worst first'))
    args.out.mkdir(parents=True, exist_ok=True)
    write_groups(args.out / 'errors.csv', rows)
    write_per_image(args.out / 'images.csv', records, summary, protocol)
    title = 'abs_rel / median signed error, share of pixels'
    save_image(draw_error_matrix(rows, title, args.max_error), args.out / 'errors.png')
    sheet = analysis.draw_worst(args.panel_width, args.max_error)
    save_image(sheet, args.out / 'worst.png')
    names = ', '.join(('worst.png', 'images.csv', 'errors.csv', 'errors.png'))
    print(f'wrote {names} to {args.out}')


def main(argv: Sequence[str] | None = None) -> None:
    """Analyse; one sentence and exit code 1 where it cannot be done."""
    args = parse_args(argv)
    try:
        cfg = load_config(args.config, args.cfg_options)
        labels, classes = build_labels(args)
        tally = ErrorTally(args.distances, classes)
        analysis = Analysis(find_protocol(cfg, args.config), tally, labels, args.worst)
        for sample in predict(cfg, args):
            analysis.add(sample)
        report(analysis, args)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise SystemExit(f'analyze_errors: {error}') from error


if __name__ == '__main__':
    main()

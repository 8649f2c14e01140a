"""A model on its test set: the worst images first, errors by distance and semantic class."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope

from mmscd.datasets.formats.images import read_image
from mmscd.models.loading import load_model
from mmscd.registry import DATASETS

from .error_analysis import ALL, DISTANCES, MOVABLE, ErrorTally, make_group_table, write_groups
from .error_classes import LabelFolder, TeacherLabels
from .functional import METRIC_NAMES
from .label_files import LabelsBeside
from .metrics.depth_metric import find_protocol
from .protocols import DepthProtocol, align_pixels, evaluate_pixels, select_pixels
from .samples import get_map, identify, predicted_depth
from .tables import describe_unusable, summarize, write_per_image


@torch.no_grad()
def analyze_errors(
    cfg: Config,
    weights: str,
    labels: LabelFolder | TeacherLabels | LabelsBeside | None = None,
    distances: Sequence[float] = DISTANCES,
    keep: int = 8,
    max_images: int | None = None,
    device: str | None = None,
) -> ErrorAnalysis:
    """Run the first `max_images` of the test set of a config, aligned and clipped as its
    `DepthMetric` does. `keep` so many of the worst images; `labels` give every pixel a class
    (None: those of the protocol); `distances` are the edges of the bins of true depth, metres."""
    analysis = ErrorAnalysis(find_protocol(cfg), labels, distances, keep)
    model = load_model(cfg, weights, device=device)
    with DefaultScope.overwrite_default_scope('mmscd'):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    for index in range(min(len(dataset), max_images or len(dataset))):
        batch = default_collate([dataset[index]])
        frames = batch['inputs']['frames'] = batch['inputs']['frames'][:, :1]
        sample = model.test_step(batch)[0].to_dict()
        analysis.add(dict(sample, frame=frames[0, 0].permute(1, 2, 0).numpy()))
    return analysis


class ErrorAnalysis:
    """Errors of one image after the other; for the arguments see `analyze_errors`."""

    def __init__(
        self,
        protocol: DepthProtocol,
        labels: LabelFolder | TeacherLabels | LabelsBeside | None = None,
        distances: Sequence[float] = DISTANCES,
        keep: int = 8,
    ) -> None:
        if keep < 1:
            raise ValueError(f'the worst images to keep must be at least 1, got {keep}')
        if labels is None and protocol.labels:
            labels = LabelsBeside(*protocol.labels)
        self.protocol, self.labels, self.keep = protocol, labels, keep
        self.tally = ErrorTally(distances, labels.classes if labels else None)
        self._records: list[dict[str, Any]] = []
        self._worst: list[tuple[float, int, dict]] = []

    def add(self, sample: Mapping[str, Any]) -> None:
        """One data sample, as a dict, with `gt_depth`, prediction and `frame`, uint8 RGB (H, W,
        3)."""
        path, number = sample['img_path'], len(self._records)
        record = dict(identify(sample), metrics=None)
        self._records.append(record)
        truth = get_map(sample, 'gt_depth')
        if truth is None:
            raise ValueError(f'{path} has no ground truth: does the test set load it (with_gt)?')
        index, gt = select_pixels(truth, self.protocol, path)
        if gt.size == 0:
            return
        pred = predicted_depth(sample, truth.shape).ravel()[index]
        record['metrics'] = evaluate_pixels(pred, gt, self.protocol)
        labels = None
        if self.labels is not None:
            labels = self.labels(path, lambda: read_shown(sample), truth.shape).ravel()[index]
        self.tally.add(align_pixels(pred, gt, self.protocol), gt, labels)
        if math.isnan(record['metrics']['abs_rel']):
            return  # neither worse nor better than another
        kept = {key: sample[key] for key in ('img_path', 'ori_shape', 'frame')}
        kept.update(inv_depth=get_map(sample, 'pred_inv_depth'), gt=truth)
        heapq.heappush(self._worst, (record['metrics']['abs_rel'], -number, kept))
        if len(self._worst) > self.keep:
            heapq.heappop(self._worst)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Records of the images by abs_rel, worst first; at the end those whose prediction is not
        finite, and those without ground truth."""
        errors = [r['metrics']['abs_rel'] if r['metrics'] else -np.inf for r in self._records]
        return [self._records[i] for i in np.argsort(-np.nan_to_num(errors, nan=-1), kind='stable')]

    @property
    def worst(self) -> list[dict[str, Any]]:
        """`inv_depth`, `gt`, `img_path`, `ori_shape` and `frame` of the worst images, worst
        first."""
        return [kept for *_, kept in sorted(self._worst, key=lambda item: item[:2], reverse=True)]

    def report(self, folder: Path) -> str:
        """Write `images.csv` and `errors.csv`; returns the tables for the terminal."""
        rows, records = self.tally.summarize(), self.records
        names = [record['img_path'] for record in records]
        summary = summarize([record['metrics'] for record in records], names)
        protocol = self.protocol.describe()
        write_groups(folder / 'errors.csv', rows)
        write_per_image(folder / 'images.csv', records, summary, protocol)
        means = ', '.join(f'{name} {summary[name]:.4f}' for name in METRIC_NAMES)
        parts = [protocol, f'{summary["n_images"]} images, mean per image: {means}']
        parts += filter(None, [describe_unusable(records)])
        by_distance = {key: cell for key, cell in rows[ALL].items() if key != ALL}
        parts.append(make_group_table({**by_distance, ALL: rows[ALL][ALL]}, 'distance'))
        if self.labels is not None:
            pooled = {name: rows[name][ALL] for name in (MOVABLE, ALL) if name in rows}
            classes = [(name, cells[ALL]) for name, cells in rows.items() if name not in pooled]
            classes.sort(key=lambda item: -item[1]['abs_rel'])
            parts.append(make_group_table({**dict(classes), **pooled}, 'class, worst first'))
        return '\n'.join(parts)


def read_shown(sample: Mapping[str, Any]) -> np.ndarray:
    """The image that belongs to the ground truth of a sample, uint8 RGB (H, W, 3): the file, or
    what the network got where the pipeline has cut a window out of that."""
    path = sample['img_path']
    image = read_image(path)
    return image if image.shape[:2] == tuple(sample['ori_shape']) else sample['frame']

"""`DepthMetric`: depth evaluation inside mmengine's loops."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from mmscd.registry import METRICS

from .functional import invert, resize_inverse_depth, to_numpy
from .predictors import build_references
from .protocols import DepthProtocol, evaluate_pixels, get_protocol, select_pixels
from .report import (
    check_per_image_path,
    check_table_path,
    describe_counts,
    describe_unusable,
    make_table,
    summarize,
    write_per_image,
    write_table,
)


@METRICS.register_module()
class DepthMetric(BaseMetric):
    """Depth errors of `DepthDataSample.pred_depth` against `gt_depth`, mean over images.

    A prediction of another size than the ground truth is resized as inverse depth: straight from
    `pred_inv_depth` (the network's resolution) where the sample has it, as the published protocols
    do. Images without valid ground truth are left out and counted. Predictions that are not finite
    and positive are reported with the image's name and count as the worst case (see
    `protocols.evaluate_pixels`). Over several ranks every image counts once, whatever the sampler
    padded.

    Args:
        protocol: name of a preset of `protocols.PROTOCOLS`, or a dict of `DepthProtocol` fields.
        crop, min_depth, max_depth, alignment, scale, gt_min, gt_max: override a field of the
            protocol; None keeps it.
        references: predictors that know nothing of the picture, evaluated on the same pixels and
            printed in the same table, e.g. `[dict(type='constant'), dict(type='flat_road',
            camera_height=1.65, far_caps=(20, 30, 40, 80))]`.
        model_name: the model's row in the table.
        per_image_path: .json or .csv file for the metrics of every image.
        table_path: .json file for the rows of the printed table, see `report.write_table`.
        prefix: put before the metric's names with a slash. None: bare names.
        collect_device: 'cpu' or 'gpu', how results of several ranks travel.
        collect_dir: see `mmengine.evaluator.BaseMetric`.

    The metrics: abs_rel, sq_rel, rmse, rmse_log, delta1, delta2, delta3, scale_ratio_median,
    scale_ratio_std, n_images, n_empty; with references also `<kind>_abs_rel` (`constant_abs_rel`),
    and `best_<kind>_abs_rel` where a kind has several members (`best_flat_road_abs_rel`).
    """

    default_prefix = ''

    def __init__(
        self,
        protocol: str | dict | DepthProtocol = 'kitti_eigen',
        crop: str | Sequence[float] | None = None,
        min_depth: float | None = None,
        max_depth: float | None = None,
        alignment: str | None = None,
        scale: float | None = None,
        gt_min: float | None = None,
        gt_max: float | None = None,
        references: Sequence[Mapping[str, Any]] = (),
        model_name: str = 'model',
        per_image_path: str | os.PathLike | None = None,
        table_path: str | os.PathLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.protocol = get_protocol(
            protocol,
            crop=crop,
            min_depth=min_depth,
            max_depth=max_depth,
            alignment=alignment,
            scale=scale,
            gt_min=gt_min,
            gt_max=gt_max,
        )
        self.references = build_references(references)
        self.model_name = model_name
        if per_image_path is not None:
            check_per_image_path(per_image_path)
        if table_path is not None:
            check_table_path(table_path)
        self.per_image_path, self.table_path = per_image_path, table_path
        self._dataset_size: int | None = None

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Judge one batch.

        Args:
            data_batch: not read.
            data_samples: `DepthDataSample.to_dict()` of each image.

        Raises:
            KeyError: a sample has no prediction, or nothing that names it.
        """
        for sample in data_samples:
            self.results.append(self._judge(sample))

    def _judge(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        record = dict(sample_idx=sample.get('sample_idx'), img_path=sample.get('img_path'))
        if record['sample_idx'] is None and record['img_path'] is None:
            raise KeyError(
                'a data sample has neither `sample_idx` nor `img_path` in its metainfo: without '
                'one of them an image could count twice over several ranks'
            )
        record.update(metrics=None, references=None)
        truth = _get_map(sample, 'gt_depth')
        if truth is None:
            return record
        index, depth = select_pixels(truth, self.protocol)
        if depth.size == 0:
            return record
        pred = predicted_depth(sample, truth.shape)
        record['metrics'] = evaluate_pixels(pred.ravel()[index], depth, self.protocol)
        record['references'] = []
        for reference in self.references:
            pixels = reference(truth.shape, sample).ravel()[index]
            record['references'].append(evaluate_pixels(pixels, depth, self.protocol))
        return record

    def evaluate(self, size: int) -> dict:
        """Collect the results of all ranks and compute the metrics.

        mmengine cuts the collected list at `size`, which drops padded images only for samplers
        that deal out indices in turn. Here everything is collected, and doubles are found by
        their names.

        Args:
            size: length of the data set.
        """
        self._dataset_size = size
        return super().evaluate(sys.maxsize)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Means over the images, each counted once.

        Args:
            results: records of `process`, of all ranks.

        Raises:
            ValueError: no image has valid ground truth.
        """
        records = _drop_doubles(results)
        size, self._dataset_size = self._dataset_size, None
        if size is not None and len(records) != size:
            print_log(
                f'DepthMetric saw {len(records)} different images, but the data set has {size}: '
                'the numbers below are of those seen. Check `sample_idx`, the sampler and whether '
                'the loop ended early',
                'current',
                logging.WARNING,
            )
        summary = summarize([record['metrics'] for record in records])
        rows = {self.model_name: summary}
        summary = dict(summary, **self._add_references(records, rows))
        warning = describe_unusable(records)
        if warning:
            print_log(warning, 'current', logging.WARNING)
        title = f'{self.protocol.describe()}, {summary["n_images"]} images'
        print_log(f'\n{make_table(rows, title)}\n{describe_counts(summary)}', 'current')
        self._write_files(records, summary, rows)
        return summary

    def _write_files(self, records: list[dict], summary: dict, rows: dict) -> None:
        """Write what was asked for besides the printed table."""
        protocol = self.protocol.describe()
        if self.per_image_path is not None:
            write_per_image(self.per_image_path, records, summary, protocol)
        if self.table_path is not None:
            keys = {reference.name: reference.key for reference in self.references}
            keys[self.model_name] = 'model'
            write_table(self.table_path, rows, keys, protocol)

    def _add_references(self, records: list[dict], rows: dict) -> dict[str, float]:
        """Add the rows of the references; returns what the metrics say of them."""
        counted = [r['references'] for r in records if r['references'] is not None]
        kinds: dict[str, list[float]] = {}
        for i, reference in enumerate(self.references):
            row = summarize([judged[i] for judged in counted])
            rows[reference.name] = row
            kinds.setdefault(reference.key, []).append(row['abs_rel'])
        return {
            f'best_{key}_abs_rel' if len(errors) > 1 else f'{key}_abs_rel': min(errors)
            for key, errors in kinds.items()
        }


def predicted_depth(sample: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """The predicted depth of a sample at a given size.

    Args:
        sample: `DepthDataSample.to_dict()`.
        shape: (H, W) of the ground truth.

    Returns:
        (H, W) depth as predicted: `pred_depth` itself where it has this size, else inverse depth
        resized bilinearly (`pred_inv_depth`, else 1 / `pred_depth`) and inverted.

    Raises:
        KeyError: there is neither `pred_depth` nor `pred_inv_depth`.
    """
    depth = _get_map(sample, 'pred_depth')
    if depth is not None and depth.shape == tuple(shape):
        return depth
    inverse = _get_map(sample, 'pred_inv_depth')
    if inverse is None:
        if depth is None:
            raise KeyError(
                'a data sample has neither `pred_depth` nor `pred_inv_depth` '
                f'({sample.get("img_path")}): does the model run in mode "predict"?'
            )
        inverse = invert(depth)
    return invert(resize_inverse_depth(inverse, shape))


def _get_map(sample: Mapping[str, Any], name: str) -> np.ndarray | None:
    """The map (H, W) of a field, which may be a PixelData, its dict form, or a bare array."""
    field = sample.get(name)
    if field is None:
        # BaseDataElement hides the private twin of a property; other dumps may not
        field = sample.get(f'_{name}')
    if field is None:
        return None
    if isinstance(field, Mapping):
        field = field['data']
    elif isinstance(field, BaseDataElement):
        field = field.data
    return to_numpy(field)


def _drop_doubles(records: Sequence[dict]) -> list[dict]:
    """Records in the order of the data set, the first of each image."""
    unique: dict[tuple, dict] = {}
    for record in records:
        # the path too: the parts of a concatenated data set may count from 0 each
        unique.setdefault((record['sample_idx'], record['img_path']), record)
    kept = list(unique.values())
    if all(record['sample_idx'] is not None for record in kept):
        kept.sort(key=lambda record: record['sample_idx'])
    return kept

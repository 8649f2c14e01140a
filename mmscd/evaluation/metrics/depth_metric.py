"""`DepthMetric`: depth evaluation inside mmengine's loops."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmscd.evaluation.bootstrap import build_bootstrap, metric_intervals
from mmscd.evaluation.conditions import group_by_condition, read_conditions
from mmscd.evaluation.predictors import build_references
from mmscd.evaluation.protocols import (
    DepthProtocol,
    evaluate_pixels,
    get_protocol,
    refuse_fields_beside,
    select_pixels,
)
from mmscd.evaluation.samples import drop_doubles, get_map, identify, predicted_depth
from mmscd.evaluation.tables import (
    check_per_image_path,
    check_table_path,
    describe_counts,
    describe_unusable,
    make_table,
    summarize,
    write_per_image,
    write_table,
)
from mmscd.registry import METRICS


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
        protocol: name of a preset of `protocols.PROTOCOLS`, or `dict(preset='kitti_eigen',
            max_depth=50)`: a preset with other values of some fields, see `get_protocol`.
        references: predictors that know nothing of the picture, evaluated on the same pixels and
            printed in the same table, e.g. `[dict(type='constant'), dict(type='flat_road',
            camera_height=1.65, far_caps=(20, 30, 40, 80))]`.
        bootstrap: True, a number of resamples, or a dict of `bootstrap.Bootstrap` fields
            (num_resamples, confidence, seed): confidence intervals of the means, by drawing the
            images again. Two rows of the table, and `<metric>_low`, `<metric>_high`.
        condition_key: metainfo that says under which condition an image was taken, a text or a
            list of texts (let PackDepthInputs keep it: `meta_keys=('condition',)`). Where samples
            have it, every condition gets a row and metrics `<condition>/<metric>`.
        model_name: the model's row in the table.
        per_image_path: .json or .csv file for the metrics of every image.
        table_path: .json file for the rows of the printed table, see `report.write_table`.
        prefix: put before the metric's names with a slash. None: bare names.
        collect_device: 'cpu' or 'gpu', how results of several ranks travel.
        collect_dir: see `mmengine.evaluator.BaseMetric`.
        **unknown: refused; fields of the protocol with the sentence that says where they belong.

    The metrics: abs_rel, sq_rel, rmse, rmse_log, delta1, delta2, delta3, scale_ratio_median,
    scale_ratio_std, n_images, n_empty; with references also `<kind>_abs_rel` (`constant_abs_rel`),
    and `best_<kind>_abs_rel` where a kind has several members (`best_flat_road_abs_rel`).
    """

    default_prefix = ''

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | DepthProtocol = 'kitti_eigen',
        references: Sequence[Mapping[str, Any]] = (),
        bootstrap: bool | int | Mapping[str, Any] | None = None,
        condition_key: str = 'condition',
        model_name: str = 'model',
        per_image_path: str | os.PathLike | None = None,
        table_path: str | os.PathLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        **unknown: Any,
    ) -> None:
        refuse_fields_beside('DepthMetric', protocol, unknown)
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.protocol = get_protocol(protocol)
        self.references = build_references(references)
        self.bootstrap = build_bootstrap(bootstrap)
        self.condition_key = condition_key
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
        record = identify(sample)
        record['conditions'] = read_conditions(sample, self.condition_key)
        record.update(metrics=None, references=None)
        truth = get_map(sample, 'gt_depth')
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
        records = drop_doubles(results)
        size, self._dataset_size = self._dataset_size, None
        if size is not None and len(records) != size:
            print_log(
                f'DepthMetric saw {len(records)} different images, but the data set has {size}: '
                'the numbers below are of those seen. Check `sample_idx`, the sampler and whether '
                'the loop ended early',
                'current',
                logging.WARNING,
            )
        summary = self._summarize(records)
        rows = {self.model_name: summary}
        summary = dict(
            summary, **self._add_references(records, rows), **self._add_conditions(records, rows)
        )
        warning = describe_unusable(records)
        if warning:
            print_log(warning, 'current', logging.WARNING)
        title = f'{self.protocol.describe()}, {summary["n_images"]} images'
        label = self.bootstrap.label if self.bootstrap else ''
        print_log(f'\n{make_table(rows, title, label)}\n{describe_counts(summary)}', 'current')
        self._write_files(records, summary, rows)
        return summary

    def _summarize(self, records: list[dict]) -> dict[str, float]:
        """Means over records, with intervals where they are asked for."""
        judged = [record['metrics'] for record in records]
        summary = summarize(judged)
        if self.bootstrap is not None:
            summary.update(metric_intervals(judged, self.bootstrap))
        return summary

    def _add_conditions(self, records: list[dict], rows: dict) -> dict[str, float]:
        """Add the rows of the conditions; returns their metrics as `<condition>/<metric>`."""
        metrics = {}
        for condition, group in group_by_condition(records).items():
            if all(record['metrics'] is None for record in group):
                metrics[f'{condition}/n_images'] = 0
                continue
            row = self._summarize(group)
            rows[f'{self.model_name}, {condition} ({row["n_images"]})'] = row
            metrics.update({f'{condition}/{key}': value for key, value in row.items()})
        return metrics

    def _write_files(self, records: list[dict], summary: dict, rows: dict) -> None:
        """Write what was asked for besides the printed table."""
        protocol = self.protocol.describe()
        if self.per_image_path is not None:
            write_per_image(self.per_image_path, records, summary, protocol)
        if self.table_path is not None:
            keys = {reference.name: reference.key for reference in self.references}
            keys[self.model_name] = 'model'
            keys.update({name: 'condition' for name in rows if name not in keys})
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

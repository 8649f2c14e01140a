"""`DepthMetric`: depth evaluation inside mmengine's loops."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmscd.evaluation import samples, tables
from mmscd.evaluation.bootstrap import build_bootstrap, metric_intervals
from mmscd.evaluation.predictors import build_references
from mmscd.evaluation.protocols import (
    DepthProtocol,
    evaluate_pixels,
    get_protocol,
    refuse_fields_beside,
    select_pixels,
)
from mmscd.registry import METRICS
from mmscd.utils.files import check_output

from .base import SampleMetric, log

# arguments that are of no use where the metric is not evaluated
_OWN_OUTPUT = ('references', 'per_image_path', 'table_path')


@METRICS.register_module()
class DepthMetric(SampleMetric):
    """Depth errors of `DepthDataSample.pred_depth` against `gt_depth`, mean over images.

    A prediction of another size than the ground truth is resized as inverse depth: straight from
    `pred_inv_depth` (the network's resolution) where the sample has it, as the published protocols
    do. Images without valid ground truth are left out and counted. Images whose prediction is not
    finite are named and counted, and the means are NaN; predictions of 0 and infinity are named and
    count as `protocols.evaluate_pixels` says. Over several ranks every image counts once, whatever
    the sampler padded.

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
        table_path: .json file for the rows of the printed table, see `tables.write_table`.
        **kwargs: see `SampleMetric`.

    The metrics: abs_rel, sq_rel, rmse, rmse_log, delta1, delta2, delta3, scale_ratio_median,
    scale_ratio_std, n_images, n_empty, n_not_finite; with references `<kind>_abs_rel`, and
    `best_<kind>_abs_rel` where a kind has several members (`best_flat_road_abs_rel`).
    """

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | DepthProtocol = 'kitti_eigen',
        references: Sequence[Mapping[str, Any]] = (),
        bootstrap: bool | int | Mapping[str, Any] | None = None,
        condition_key: str = 'condition',
        model_name: str = 'model',
        per_image_path: str | os.PathLike | None = None,
        table_path: str | os.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_fields_beside('DepthMetric', protocol, kwargs)
        super().__init__(**kwargs)
        self.protocol = get_protocol(protocol)
        self.references = build_references(references)
        self.bootstrap = build_bootstrap(bootstrap)
        self.condition_key = condition_key
        self.model_name = model_name
        check_output(per_image_path, '.json', '.csv')
        check_output(table_path, '.json')
        self.per_image_path, self.table_path = per_image_path, table_path

    def judge_sample(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Errors of the model and of the references; None where no pixel counts."""
        conditions = samples.read_conditions(sample, self.condition_key)
        record = samples.identify(sample)
        record |= dict(conditions=conditions, metrics=None, references=None)
        truth = samples.get_map(sample, 'gt_depth')
        if truth is None:
            return record
        index, depth = select_pixels(truth, self.protocol, record['img_path'])
        if depth.size:
            pred = samples.predicted_depth(sample, truth.shape)
            preds = pred, *(reference(truth.shape, sample) for reference in self.references)
            objects = self.protocol.find_objects(sample['img_path'], index, truth.shape)
            record['metrics'], *record['references'] = (
                evaluate_pixels(values.ravel()[index], depth, self.protocol, objects)
                for values in preds
            )
        return record

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Means over the images of all ranks, each once; ValueError: none has ground truth."""
        records = samples.drop_doubles(results)
        size, self.dataset_size = self.dataset_size, None
        if size is not None and len(records) != size:
            log(
                f'DepthMetric saw {len(records)} different images, but the data set has {size}: '
                'check `sample_idx`, the sampler and whether the loop ended early',
                logging.WARNING,
            )
        summary = self._summarize(records)
        # of the printed table: name -> kind and means
        rows = {self.model_name: dict(key='model', **summary)}
        summary |= self._add_references(records, rows) | self._add_conditions(records, rows)
        if warning := tables.describe_unusable(records):
            log(warning, logging.WARNING)
        protocol = self.protocol.describe()
        title = f'{protocol}, {summary["n_images"]} images'
        table = tables.make_table(rows, title, self.bootstrap.label if self.bootstrap else '')
        log(f'\n{table}\n{tables.describe_counts(summary)}')
        if self.per_image_path is not None:
            tables.write_per_image(self.per_image_path, records, summary, protocol)
        if self.table_path is not None:
            tables.write_table(self.table_path, rows, protocol)
        return summary

    def _summarize(self, records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Means over records, with intervals where they are asked for."""
        judged = [record['metrics'] for record in records]
        summary = tables.summarize(judged, [record['img_path'] for record in records])
        if self.bootstrap is not None:
            summary |= metric_intervals(judged, self.bootstrap)
        return summary

    def _add_references(self, records: list[dict], rows: dict) -> dict[str, float]:
        """Add the rows of the references; returns what the metrics say of them."""
        counted = [r['references'] for r in records if r['references'] is not None]
        kinds: dict[str, list[float]] = {}
        for i, reference in enumerate(self.references):
            row = tables.summarize([judged[i] for judged in counted])
            rows[reference.name] = dict(key=reference.key, **row)
            kinds.setdefault(reference.key, []).append(row['abs_rel'])
        return {
            f'best_{key}_abs_rel' if len(errors) > 1 else f'{key}_abs_rel': min(errors)
            for key, errors in kinds.items()
        }

    def _add_conditions(self, records: list[dict], rows: dict) -> dict[str, float]:
        """Add the rows of the conditions; returns their metrics as `<condition>/<metric>`."""
        metrics: dict[str, float] = {}
        for condition, group in samples.group_by_condition(records).items():
            if all(record['metrics'] is None for record in group):
                metrics[f'{condition}/n_images'] = 0
                continue
            row = self._summarize(group)
            name = f'{self.model_name}, {condition} ({row["n_images"]})'
            rows[name] = dict(key='condition', **row)
            metrics |= {f'{condition}/{key}': value for key, value in row.items()}
        return metrics


def find_protocol(cfg: Config) -> DepthProtocol:
    """Protocol of the `DepthMetric` that a config tests with; ValueError where there is none."""
    kept = {key: v for key, v in find_depth_metric(cfg).items() if key not in _OWN_OUTPUT}
    return METRICS.build(kept).protocol


def find_depth_metric(cfg: Config) -> dict:
    """The config of that metric, which can be changed; ValueError as above."""
    listed = cfg.get('test_evaluator') or {}
    for entry in listed if isinstance(listed, (list, tuple)) else [listed]:
        if str(entry.get('type', '')).rsplit('.', 1)[-1] == DepthMetric.__name__:
            return entry
    raise ValueError(f'{cfg.filename} has no DepthMetric in test_evaluator')

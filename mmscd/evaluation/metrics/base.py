"""What all metrics share: samples are judged one by one, and each counts once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log


class SampleMetric(BaseMetric):
    """A metric that makes a record of every sample.

    mmengine cuts the list that it collects from all ranks at the length of the data set, which
    drops padded samples only for samplers that deal out indices in turn. Here everything is
    collected, and `compute_metrics` finds doubles by their names.

    Args:
        **kwargs: `collect_device`, `prefix` and `collect_dir` of mmengine's `BaseMetric`.
    """

    default_prefix = ''
    dataset_size: int | None = None

    def judge_sample(self, sample: Mapping[str, Any]) -> Any:
        """The record of one sample, a `DepthDataSample.to_dict()`; KeyError: it lacks something."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Judge one batch; `data_batch` is not read."""
        self.results += map(self.judge_sample, data_samples)

    def evaluate(self, size: int) -> dict:
        """Collect the records of all ranks and compute the metrics of a data set of this length."""
        self.dataset_size = size
        return super().evaluate(sys.maxsize)


def log(text: str, level: int = logging.INFO) -> None:
    """Log what a metric has to say."""
    print_log(text, 'current', level)

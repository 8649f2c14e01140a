"""`EdgeMetric`: accuracy and completeness at depth discontinuities."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmscd.evaluation import functional as F
from mmscd.evaluation.edges import EdgeDetector, comparable_pixels, compare_edges
from mmscd.evaluation.protocols import DepthProtocol, get_protocol, refuse_fields_beside
from mmscd.evaluation.samples import drop_doubles, get_map, identify, predicted_depth
from mmscd.registry import METRICS
from mmscd.utils.text_table import text_table

from .base import SampleMetric, log

EDGE_METRICS = ('edge_accuracy', 'edge_completeness', 'edge_precision')


@METRICS.register_module()
class EdgeMetric(SampleMetric):
    """Depth boundary errors, mean over images; see `edges` for the definitions.

    It needs dense ground truth (rendered, or stereo): pixels within a few pixels of a hole do not
    count, and images where less than `min_density` is left are left out, with a warning. Of a LiDAR
    scan nothing is left: where all images are sparse the metrics are NaN.

    Args:
        protocol, unknown: as in `DepthMetric`. Truth and aligned prediction are clipped to the
            depth range; the truth's own bounds do not matter.
        ratio, sigma: of the `edges.EdgeDetector` of true edges: factor of depth, pixels.
        pred_ratio, pred_sigma: of the predictions'. Networks draw edges softly, and a soft edge is
            a lower one: with the same thresholds hardly any would be found. Predicted edges are
            those of either detector, and true edges that only this one sees may be predicted.
        max_distance: where distances are truncated, pixels.
        min_density: share of the image that must count, in (0, 1].
        **kwargs: see `SampleMetric`.

    The metrics: `edge_accuracy`, `edge_completeness` (pixels, lower is better), `edge_precision`,
    `edge_n_images`, `edge_n_sparse`, `edge_n_edgeless` (without a true edge: left out),
    `edge_n_not_finite` (with a prediction that is not finite: there is no mean).
    """

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | DepthProtocol = 'default',
        ratio: float = 1.25,
        sigma: float = 2**0.5,
        pred_ratio: float = 1.1,
        pred_sigma: float = 2.5,
        max_distance: float = 10.0,
        min_density: float = 0.2,
        **kwargs: Any,
    ) -> None:
        refuse_fields_beside('EdgeMetric', protocol, kwargs)
        super().__init__(**kwargs)
        self.protocol = get_protocol(protocol)
        if self.protocol.alignment == 'least_squares':
            raise ValueError(
                "EdgeMetric aligns by 'median', 'fixed' or 'none', got 'least_squares': a shift of "
                'inverse depth changes what an edge is'
            )
        self.detector = EdgeDetector(ratio, sigma=sigma)
        self.pred_detector = EdgeDetector(pred_ratio, sigma=pred_sigma)
        if not max_distance > 0:
            raise ValueError(f'max_distance must be positive (pixels), got {max_distance}')
        if not 0 < min_density <= 1:
            raise ValueError(f'min_density must lie in (0, 1], got {min_density}')
        self.max_distance, self.min_density = float(max_distance), min_density

    def judge_sample(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Errors and state of an image, see `judge`."""
        record = dict(identify(sample), metrics=None, state='sparse')
        truth = get_map(sample, 'gt_depth')
        if truth is not None:
            pred = predicted_depth(sample, truth.shape)
            record['metrics'], record['state'] = self.judge(pred, truth)
        return record

    def judge(self, pred: np.ndarray, truth: np.ndarray) -> tuple[dict[str, float] | None, str]:
        """The errors of `compare_edges`, or None, of depth (H, W), not aligned, and metres (H, W),
        0 where there is none; and 'ok', 'sparse', 'edgeless' or, with NaN, 'not_finite'."""
        valid = (truth > 0) & np.isfinite(truth)
        counts = comparable_pixels(valid, self.detector.margin)
        top, bottom, left, right = F.crop_bounds(self.protocol.crop, truth.shape)
        inside = np.zeros_like(counts)
        inside[top:bottom, left:right] = counts[top:bottom, left:right]
        if inside.sum() < self.min_density * (bottom - top) * (right - left):
            return None, 'sparse'
        true_inverse = self._clipped_inverse(np.where(valid, truth, np.inf))
        gt_edges = self.detector(true_inverse) & inside
        if not gt_edges.any():
            return None, 'edgeless'
        if not F.is_computed(pred):
            return dict.fromkeys(EDGE_METRICS, float('nan')), 'not_finite'
        in_range = valid & (truth < self.protocol.gt_bounds[1])
        aligned = self._align(pred.astype(np.float64), truth, in_range)
        # either scale: the soft one alone would lose thin poles
        inverse = self._clipped_inverse(aligned)
        pred_edges = (self.detector(inverse) | self.pred_detector(inverse)) & inside
        faint = self.pred_detector(true_inverse)
        return compare_edges(pred_edges, gt_edges, faint, self.max_distance), 'ok'

    def _align(self, pred: np.ndarray, truth: np.ndarray, where: np.ndarray) -> np.ndarray:
        """The whole map, brought to scale by the pixels `where`."""
        if self.protocol.alignment != 'median':
            return F.align_depth(pred, truth, self.protocol.alignment, self.protocol.scale)
        ratio = F.scale_ratio(pred[where], truth[where].astype(np.float64))
        return pred * ratio if np.isfinite(ratio) else pred

    def _clipped_inverse(self, depth: np.ndarray) -> np.ndarray:
        protocol = self.protocol
        return F.invert(F.clip_depth(depth, protocol.min_depth, protocol.max_depth))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Means over the images that count; NaN where there is none."""
        records = drop_doubles(results)
        judged = [record['metrics'] for record in records if record['metrics'] is not None]
        states = [record['state'] for record in records]
        summary = {
            key: float(np.mean([row[key] for row in judged])) if judged else float('nan')
            for key in EDGE_METRICS
        }
        summary['edge_n_images'] = len(judged)
        for state in ('sparse', 'edgeless', 'not_finite'):
            summary[f'edge_n_{state}'] = states.count(state)
        if count := summary['edge_n_not_finite']:
            first = records[states.index('not_finite')]['img_path']
            told = f'{count} of {len(records)} predictions are not finite (first: {first})'
            log(f'EdgeMetric: {told}: there is no mean', logging.WARNING)
        if summary['edge_n_sparse']:
            log(
                f'EdgeMetric: {summary["edge_n_sparse"]} of {len(records)} images have no ground '
                f'truth, or sparse one (less than {self.min_density:.0%} of the pixels have it '
                f'{self.detector.margin} pixels all around): they are left out. LiDAR is always '
                'so; use rendered or dense stereo depth',
                logging.WARNING,
            )
        ratios = f'factor {self.detector.ratio:g}, predicted {self.pred_detector.ratio:g}'
        limits = f'{ratios}, truncated at {self.max_distance:g} px'
        title = f'depth edges ({limits}), {len(judged)} images'
        head = ['accuracy, px ↓', 'completeness, px ↓', 'precision ↑']
        table = text_table([head, [f'{summary[key]:.3f}' for key in EDGE_METRICS]], title)
        log(f'\n{table}')
        return summary

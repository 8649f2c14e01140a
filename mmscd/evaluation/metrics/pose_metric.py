"""`PoseMetric`: camera motion on video with known poses."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmscd.evaluation.trajectory import accumulate, check_poses, judge_trajectory, straight_ahead
from mmscd.registry import METRICS
from mmscd.utils.files import write_json

_DEFAULT_REFERENCES = ('identity', 'constant_velocity')


@METRICS.register_module()
class PoseMetric(BaseMetric):
    """Absolute trajectory error of predicted camera motion; see `trajectory` for the definitions.

    Every sample stands for a frame and is a mapping, or a data sample with such metainfo, with

    - `sequence` (text) and `frame` (int): neighbours have consecutive numbers;
    - `gt_pose`: T_world_camera (4, 4), metres, or `poses`, a list that starts with it, as
      `KITTIOdometryDataset` gives;
    - `pred_motion`: T_next_frame (4, 4), x_next = T x_frame, up to scale. The last frame of a
      sequence needs none.

    Args:
        snippet_lengths: frames per snippet; 5 is what the field reports.
        references: naive predictors for the same table, out of 'identity' (the camera stands
            still) and 'constant_velocity' (it moves along its optical axis, always equally fast).
        model_name: the model's row in the table.
        out_path: .json file for all numbers.
        prefix, collect_device, collect_dir: of mmengine's `BaseMetric`.

    The metrics, of the mean over sequences: `ate5_mean`, `ate5_std`, `rmse_similarity`,
    `rmse_scale` (metres), `scale`, `n_frames`.
    """

    default_prefix = ''

    def __init__(
        self,
        snippet_lengths: Sequence[int] = (5,),
        references: Sequence[str] = _DEFAULT_REFERENCES,
        model_name: str = 'model',
        out_path: str | os.PathLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        unknown = sorted(set(references) - set(_DEFAULT_REFERENCES))
        if unknown:
            raise ValueError(f'unknown references {unknown}: expected {_DEFAULT_REFERENCES}')
        if not snippet_lengths or min(snippet_lengths) < 2:
            raise ValueError(f'snippet_lengths must be 2 or more, got {tuple(snippet_lengths)}')
        if out_path is not None and not str(out_path).endswith('.json'):
            raise ValueError(f'out_path must end in .json, got {str(out_path)!r}')
        self.snippet_lengths = tuple(snippet_lengths)
        self.references = tuple(references)
        self.model_name, self.out_path = model_name, out_path
        self.trajectories: dict[str, dict[str, np.ndarray]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Take in the frames of a batch; see the class.

        Raises:
            KeyError: a sample lacks what the metric needs.
        """
        for sample in data_samples:
            if sample.get('gt_pose') is None and sample.get('poses') is not None:
                sample = dict(sample, gt_pose=sample['poses'][0])
            absent = [key for key in ('sequence', 'frame', 'gt_pose') if sample.get(key) is None]
            if absent:
                raise KeyError(f'PoseMetric needs {absent} in the sample; it has {sorted(sample)}')
            motion = sample.get('pred_motion')
            self.results.append(
                dict(
                    sequence=str(sample['sequence']),
                    frame=int(sample['frame']),
                    gt_pose=_to_matrix(sample['gt_pose']),
                    pred_motion=None if motion is None else _to_matrix(motion),
                )
            )

    def evaluate(self, size: int) -> dict:
        """Collect from all ranks; frames that a sampler padded are found by their number."""
        return super().evaluate(sys.maxsize)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Judge every sequence; the metrics are means over sequences.

        Raises:
            ValueError: a sequence has a gap, or a motion is missing.
        """
        if not results:
            raise ValueError('PoseMetric saw no frame')
        by_sequence: dict[str, dict[int, dict]] = {}
        for record in results:
            by_sequence.setdefault(record['sequence'], {})[record['frame']] = record
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for name, frames in sorted(by_sequence.items()):
            self.trajectories[name] = self._predictors(name, frames)
            gt = self.trajectories[name]['ground truth']
            rows[name] = {
                predictor: judge_trajectory(poses, gt, self.snippet_lengths)
                for predictor, poses in self.trajectories[name].items()
                if predictor != 'ground truth'
            }
        for name, judged in rows.items():
            title = f'{name}, {len(by_sequence[name])} frames, metres'
            print_log(f'\n{title}\n{self._table(judged)}', 'current')
        own = [judged[self.model_name] for judged in rows.values()]
        summary = {key: float(np.mean([row[key] for row in own])) for key in own[0]}
        summary['n_frames'] = sum(len(frames) for frames in by_sequence.values())
        if self.out_path is not None:
            write_json(self.out_path, dict(summary=summary, sequences=rows))
        return summary

    def _predictors(self, name: str, frames: dict[int, dict]) -> dict[str, np.ndarray]:
        """Poses (N, 4, 4) by predictor, the ground truth among them."""
        numbers = sorted(frames)
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            gap = next(n for n in numbers if n + 1 not in frames)
            raise ValueError(f'{name}: there is no frame {gap + 1}, but later ones')
        motions = [frames[number]['pred_motion'] for number in numbers[:-1]]
        if any(motion is None for motion in motions):
            raise ValueError(
                f'{name}: frame {numbers[[m is None for m in motions].index(True)]} has no '
                '`pred_motion`; only the last frame needs none'
            )
        gt = check_poses(np.stack([frames[n]['gt_pose'] for n in numbers]), f'gt_pose of {name}')
        found = {'ground truth': gt, self.model_name: accumulate(np.array(motions))}
        check_poses(found[self.model_name], f'the predicted poses of {name}')
        if 'constant_velocity' in self.references:
            found['constant velocity, straight ahead'] = accumulate(straight_ahead(len(motions)))
        if 'identity' in self.references:
            found['identity (stands still)'] = np.tile(np.eye(4), (len(gt), 1, 1))
        return found

    def _table(self, rows: Mapping[str, Mapping[str, float]]) -> str:
        head = ['', *(f'ATE, {n} frames (norm / {n})' for n in self.snippet_lengths)]
        head += ['RMSE, similarity', 'RMSE, scale only', 'scale']
        data = [head]
        for name, row in rows.items():
            cells = [
                f'{row[f"ate{n}_mean"]:.4f} +- {row[f"ate{n}_std"]:.4f}'
                for n in self.snippet_lengths
            ]
            cells += [f'{row[key]:.3f}' for key in ('rmse_similarity', 'rmse_scale')]
            data.append([name, *cells, f'{row["scale"]:.3f}'])
        return AsciiTable(data).table


def _to_matrix(value: Any) -> np.ndarray:
    """float64 (4, 4) of a tensor, an array or nested lists."""
    if hasattr(value, 'detach'):
        value = value.detach().cpu().numpy()
    matrix = np.asarray(value, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f'a pose or motion must be a 4x4 matrix, got the shape {matrix.shape}')
    return matrix

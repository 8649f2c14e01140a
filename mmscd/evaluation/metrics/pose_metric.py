"""`PoseMetric`: camera motion on video with known poses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmscd.evaluation import trajectory
from mmscd.registry import METRICS
from mmscd.utils.files import check_output, write_json
from mmscd.utils.text_table import text_table

from .base import SampleMetric, log

# row in the table and metres per frame straight ahead
_REFERENCES = {
    'constant_velocity': ('constant velocity, straight ahead', 1.0),
    'identity': ('identity (stands still)', 0.0),
}
GROUND_TRUTH = 'ground truth'


@METRICS.register_module()
class PoseMetric(SampleMetric):
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
        **kwargs: see `SampleMetric`.

    The metrics, of the mean over sequences: `ate5_mean`, `ate5_std`, `rmse_similarity`,
    `rmse_scale` (metres), `scale`, `n_frames`.
    """

    def __init__(
        self,
        snippet_lengths: Sequence[int] = (5,),
        references: Sequence[str] = tuple(_REFERENCES),
        model_name: str = 'model',
        out_path: str | os.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        unknown = sorted(set(references) - set(_REFERENCES))
        if unknown:
            raise ValueError(f'unknown references {unknown}: expected {tuple(_REFERENCES)}')
        if not snippet_lengths or min(snippet_lengths) < 2:
            raise ValueError(f'snippet_lengths must be 2 or more, got {tuple(snippet_lengths)}')
        check_output(out_path, '.json')
        self.snippet_lengths, self.references = tuple(snippet_lengths), tuple(references)
        self.model_name, self.out_path = model_name, out_path
        self.trajectories: dict[str, dict[str, np.ndarray]] = {}

    def judge_sample(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Names, pose and motion of a frame; see the class."""
        if sample.get('gt_pose') is None and sample.get('poses') is not None:
            sample = dict(sample, gt_pose=sample['poses'][0])
        absent = [key for key in ('sequence', 'frame', 'gt_pose') if sample.get(key) is None]
        if absent:
            raise KeyError(f'PoseMetric needs {absent} in the sample; it has {sorted(sample)}')
        motion = sample.get('pred_motion')
        return dict(
            sequence=str(sample['sequence']),
            frame=int(sample['frame']),
            gt_pose=_to_matrix(sample['gt_pose']),
            pred_motion=None if motion is None else _to_matrix(motion),
        )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Means over sequences; ValueError: one has a gap, or a motion is missing."""
        if not results:
            raise ValueError('PoseMetric saw no frame')
        by_sequence: dict[str, dict[int, dict]] = {}
        for record in results:
            by_sequence.setdefault(record['sequence'], {})[record['frame']] = record
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for name, frames in sorted(by_sequence.items()):
            tracks = self.trajectories[name] = self._tracks(name, frames)
            truth = tracks[GROUND_TRUTH]
            rows[name] = {
                label: trajectory.judge_trajectory(poses, truth, self.snippet_lengths)
                for label, poses in tracks.items()
                if label != GROUND_TRUTH
            }
            table = self._table(rows[name], f'{name}, {len(frames)} frames, metres')
            log(f'\n{table}')
        own = [judged[self.model_name] for judged in rows.values()]
        summary = {key: float(np.mean([row[key] for row in own])) for key in own[0]}
        summary['n_frames'] = sum(map(len, by_sequence.values()))
        if self.out_path is not None:
            write_json(self.out_path, dict(summary=summary, sequences=rows))
        return summary

    def _tracks(self, name: str, frames: dict[int, dict]) -> dict[str, np.ndarray]:
        """Poses (N, 4, 4) by predictor, the ground truth among them."""
        numbers = sorted(frames)
        gap = next((n for n in numbers[:-1] if n + 1 not in frames), None)
        if gap is not None:
            raise ValueError(f'{name}: there is no frame {gap + 1}, but later ones')
        motions = [frames[number]['pred_motion'] for number in numbers[:-1]]
        lacking = [n for n, motion in zip(numbers, motions, strict=False) if motion is None]
        if lacking:
            raise ValueError(f'{name}: frame {lacking[0]} has no `pred_motion` and is not the last')
        gt = np.stack([frames[number]['gt_pose'] for number in numbers])
        pred = trajectory.accumulate(np.array(motions))
        tracks = {
            GROUND_TRUTH: trajectory.check_poses(gt, f'gt_pose of {name}'),
            self.model_name: trajectory.check_poses(pred, f'the predicted poses of {name}'),
        }
        for reference, (label, step) in _REFERENCES.items():
            if reference in self.references:
                tracks[label] = trajectory.accumulate(trajectory.straight_ahead(len(motions), step))
        return tracks

    def positions(self, sequence: str) -> dict[str, np.ndarray]:
        """Where the cameras are, for a picture: track -> (N, 3) metres in the first true camera,
        the truth first, the others at their best scale, without who stands still."""
        tracks = self.trajectories[sequence]
        truth = tracks[GROUND_TRUTH]
        found = {GROUND_TRUTH: trajectory.to_first(truth)[:, :3, 3]}
        for name, poses in tracks.items():
            if name not in (GROUND_TRUTH, _REFERENCES['identity'][0]):
                found[f'{name}, scaled'] = trajectory.align_trajectory(poses, truth, 'scale')
        return found

    def _table(self, rows: Mapping[str, Mapping[str, float]], title: str) -> str:
        lengths = self.snippet_lengths
        head = [f'ATE, {n} frames (norm / {n})' for n in lengths]
        lines = [['', *head, 'RMSE, similarity', 'RMSE, scale only', 'scale']]
        for name, row in rows.items():
            ates = [f'{row[f"ate{n}_mean"]:.4f} +- {row[f"ate{n}_std"]:.4f}' for n in lengths]
            others = [f'{row[key]:.3f}' for key in ('rmse_similarity', 'rmse_scale', 'scale')]
            lines.append([name, *ates, *others])
        return text_table(lines, title)


def _to_matrix(value: Any) -> np.ndarray:
    """float64 (4, 4) of a tensor, an array or nested lists."""
    if hasattr(value, 'detach'):
        value = value.detach().cpu().numpy()
    matrix = np.asarray(value, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f'a pose or motion must be a 4x4 matrix, got the shape {matrix.shape}')
    return matrix

"""PoseMetric through mmengine's Evaluator."""

import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

import mmscd.evaluation  # noqa: F401
from mmscd.evaluation.trajectory import accumulate, judge_trajectory, relative_motions
from mmscd.registry import METRICS
from mmscd.structures import DepthDataSample


def walk(seed, count=8):
    rng = np.random.default_rng(seed)
    motions = np.tile(np.eye(4), (count - 1, 1, 1))
    for motion in motions:
        a = rng.normal(scale=0.1)
        motion[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
        motion[:3, 3] = [0, 0, -rng.uniform(0.5, 1.5)]
    return accumulate(motions)


def frames(name, gt, pred):
    motions = [*relative_motions(pred), None]
    return [
        dict(sequence=name, frame=i + 3, gt_pose=pose.tolist(), pred_motion=motion)
        for i, (pose, motion) in enumerate(zip(gt, motions, strict=True))
    ]


def evaluate(samples, **kwargs):
    metric = METRICS.build(dict(type='PoseMetric', **kwargs))
    evaluator = Evaluator(metric)
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples)), metric


def test_means_over_sequences_in_any_order_with_doubles(tmp_path):
    gt, pred = [walk(1), walk(2)], [walk(3), walk(4)]
    samples = frames('a', gt[0], pred[0])[::-1] + frames('b', gt[1], pred[1])
    samples.append(dict(samples[0]))
    out = tmp_path / 'out.json'
    metrics, metric = evaluate(samples, out_path=str(out), model_name='net')
    judged = [judge_trajectory(p, g) for p, g in zip(pred, gt, strict=True)]
    for key in judged[0]:
        assert metrics[key] == pytest.approx(np.mean([row[key] for row in judged])), key
    assert metrics['n_frames'] == 16
    content = json.loads(out.read_text())
    assert list(content['sequences']['b']) == [
        'net',
        'constant velocity, straight ahead',
        'identity (stands still)',
    ]
    assert content['sequences']['a']['net']['ate5_mean'] == pytest.approx(judged[0]['ate5_mean'])
    assert set(metric.trajectories['a']) == {'ground truth', *content['sequences']['a']}


def test_data_samples_with_tensors():
    gt, pred = walk(1), walk(3)
    samples = []
    for frame in frames('a', gt, pred):
        if frame['pred_motion'] is not None:
            frame['pred_motion'] = torch.from_numpy(frame['pred_motion'])
        frame['poses'] = [frame.pop('gt_pose')]
        samples.append(DepthDataSample(metainfo=frame))
    metrics, _ = evaluate(samples, references=(), snippet_lengths=(3,))
    assert metrics['ate3_mean'] == pytest.approx(judge_trajectory(pred, gt, (3,))['ate3_mean'])


def test_what_is_wrong_is_said():
    samples = frames('a', walk(1), walk(3))
    with pytest.raises(ValueError, match='no frame 6'):
        evaluate(samples[:3] + samples[4:])
    samples[2]['pred_motion'] = None
    with pytest.raises(ValueError, match='frame 5 has no `pred_motion`'):
        evaluate(samples)
    samples[2]['pred_motion'] = np.full((4, 4), np.nan)
    with pytest.raises(ValueError, match='not finite'):
        evaluate(samples)
    with pytest.raises(KeyError, match='gt_pose'):
        evaluate([dict(sequence='a', frame=0)])
    with pytest.raises(ValueError, match='still'):
        evaluate(samples, references=('still',))
    with pytest.raises(ValueError, match='json'):
        evaluate(samples, out_path='a.csv')

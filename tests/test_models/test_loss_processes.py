"""A loss that has parameters and begins late, over two processes."""

import os
import socket

import pytest
import torch
from torch import nn

from mmscd.models import SelfSupervisedDepthEstimator
from mmscd.registry import LOSSES
from mmscd.utils.keyed_random import make_key


@LOSSES.register_module()
class LearntLoss(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, outputs):
        return (self.factor * outputs.disps[0]).mean()


def build():
    torch.manual_seed(0)
    return SelfSupervisedDepthEstimator(
        backbone=dict(type='ResNetEncoder', depth=18, norm_eval=True),
        disp_head=dict(type='DispHead', channels=(4, 4, 8, 8, 16)),
        pose_net=None,
        frame_ids=(0, 's'),
        losses=dict(smoothness=dict(type='SmoothnessLoss'), late=dict(type='LearntLoss')),
        data_preprocessor=dict(type='DepthDataPreprocessor', jitter_prob=0.0),
    ).train()


def make_inputs(model):
    g = torch.Generator().manual_seed(0)
    K = torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]])[None]
    frames = torch.randint(0, 256, (1, 2, 3, 64, 96), dtype=torch.uint8, generator=g)
    inputs = dict(
        frames=frames, K=K, draw_key=torch.tensor([make_key(0, 0)]), T_stereo=torch.eye(4)[None]
    )
    return model.data_preprocessor(dict(inputs=inputs), True)['inputs']


def steps(model, wrapper, strengths=(0.0, 0.0, 1.0)):
    inputs = make_inputs(model)
    for strength in strengths:
        model.loss_strengths['late'] = strength
        losses = wrapper(inputs, mode='loss')
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        yield losses, model.losses['late'].factor.grad


def _worker(rank, port, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    model = build()
    wrapper = nn.parallel.DistributedDataParallel(model)
    gradients = [float(gradient) for _, gradient in steps(model, wrapper)]
    with open(f'{folder}/{rank}', 'w') as stream:
        stream.write(repr(gradients))
    torch.distributed.barrier()
    # as in test_graph_processes: taking group and interpreter down is left out
    os._exit(0)


def test_parameters_of_a_loss_that_is_off_take_part_with_a_gradient_of_zero():
    model = build()
    (off, gradient), *_ = steps(model, model, (0.0,))
    assert off['loss_late'] == 0 and gradient == 0


def test_it_begins_late_under_ddp(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(_worker, (port, str(tmp_path)), nprocs=2, daemon=True)
    model = build()
    expected = [float(gradient) for _, gradient in steps(model, model)]
    assert expected[:2] == [0, 0] and expected[2] > 0
    for rank in (0, 1):
        found = eval((tmp_path / str(rank)).read_text())
        assert found == pytest.approx(expected, rel=1e-5)

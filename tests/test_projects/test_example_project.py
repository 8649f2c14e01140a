"""A third party's loss, backbone and teacher: they plug in from outside."""

import os
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from mmscd.models.outputs import StepOutputs
from mmscd.registry import LOSSES, MODELS, TEACHERS
from mmscd.utils.config import load_config
from projects.example_project import example_project  # noqa: F401  registers

PROJECT = Path(__file__).resolve().parents[2] / 'projects/example_project'


def test_it_is_small():
    lines = [f.read_text().splitlines() for f in PROJECT.rglob('*.py')]
    assert sum(map(len, lines)) < 150


def outputs_of_plane(normal, size=(24, 40)):
    """What a loss gets for a plane n x = 1, in a picture without edges."""
    height, width = size
    K = torch.tensor([[30.0, 0, 19.5], [0, 30, 11.5], [0, 0, 1]], dtype=torch.float64)[None]
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    rays = torch.stack([u, v, torch.ones_like(u)]).double().flatten(1)
    inv_depth = (torch.tensor(normal, dtype=torch.float64) @ (K[0].inverse() @ rays)).abs()
    low, high = 1 / 100, 1 / 0.1
    disp = ((inv_depth - low) / (high - low)).reshape(1, 1, height, width)
    target = torch.full((1, 3, height, width), 0.5, dtype=torch.float64)
    return StepOutputs(
        disps=[disp.requires_grad_()], target=target, inv_K=K.inverse(), depth_range=(0.1, 100.0)
    )


def test_loss_of_planes_is_zero():
    loss = LOSSES.build(dict(type='NormalConsistencyLoss', loss_weight=1.0))
    for normal in ((0.0, 0.0, 0.2), (0.05, 0.1, 0.2), (0.0, 0.15, 0.1)):
        assert loss(outputs_of_plane(normal)).item() < 1e-9
    bent = outputs_of_plane((0.05, 0.1, 0.2))
    bent.disps = [(bent.disps[0].detach() + 0.05 * torch.rand(1, 1, 24, 40)).requires_grad_()]
    value = loss(bent)
    value.backward()
    assert 0.1 < value.item() < 4 and bent.disps[0].grad.abs().sum() > 0


def stub_timm(monkeypatch):
    """The three things of timm that the adapter uses, over a network of two stages."""

    class Network(nn.Module):
        feature_info = types.SimpleNamespace(channels=lambda: [8, 16])

        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)

        def forward(self, x):
            x = self.first(x)
            return [x, self.second(x)]

    def create_model(name, features_only, pretrained):
        assert (name, features_only, pretrained) == ('some_net', True, False)
        return Network()

    monkeypatch.setitem(sys.modules, 'timm', types.SimpleNamespace(create_model=create_model))


def test_timm_adapter(monkeypatch):
    stub_timm(monkeypatch)
    backbone = MODELS.build(dict(type='TimmBackbone', name='some_net', channels=(8, 16)))
    shapes = [m.shape for m in backbone(torch.rand(2, 3, 32, 64))]
    assert shapes == [(2, 8, 16, 32), (2, 16, 8, 16)]
    with pytest.raises(ValueError, match=r'maps of \[8, 16\] channels, the config says \(8, 8\)'):
        MODELS.build(dict(type='TimmBackbone', name='some_net', channels=(8, 8)))
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='pip install timm'):
        MODELS.build(dict(type='TimmBackbone', name='some_net', channels=(8, 16)))


def test_real_timm():
    pytest.importorskip('timm')
    cfg = dict(type='TimmBackbone', name='mobilenetv3_large_100', channels=(16, 24, 40, 112, 960))
    maps = MODELS.build(cfg).eval()(torch.rand(1, 3, 64, 96))
    assert [64 // m.shape[2] for m in maps] == [2, 4, 8, 16, 32]


@pytest.fixture(scope='module')
def expert(tmp_path_factory):
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 256, 16, 16), nn.ReLU(), nn.BatchNorm2d(256))
    path = tmp_path_factory.mktemp('expert') / 'expert.pt'
    traced = torch.jit.trace(nn.Sequential(*layers).eval(), torch.rand(1, 3, 64, 128))
    torch.jit.save(traced, str(path))
    return path


def test_teacher(expert):
    taps = [dict(module='expert', channels=256, stride=16)]
    teacher = TEACHERS.build(dict(type='TorchScriptTeacher', file=str(expert), taps=taps))
    said = teacher(torch.rand(2, 3, 32, 96, requires_grad=True))
    assert said['feats'][0].shape == (2, 256, 2, 6) and said['logits'] is None
    assert not said['feats'][0].requires_grad and not any(
        p.requires_grad for p in teacher.parameters()
    )
    assert not teacher.train().network.training


def test_config(expert, monkeypatch):
    monkeypatch.setenv('EXPERT', str(expert))
    cfg = load_config(str(PROJECT / 'configs/scd_r18_example.py'))
    assert cfg.model.distiller.teacher.to_dict() == dict(
        type='TorchScriptTeacher',
        file=str(expert),
        taps=[dict(module='expert', channels=256, stride=16)],
    )
    assert set(cfg.model.losses) >= {'photometric', 'normals', 'structure', 'texture'}


@pytest.mark.slow
def test_it_trains(expert, tiny_scd_config, run_tool, tmp_path):
    """By the command of the README, on small data."""
    leaf = tmp_path / 'leaf.py'
    taps = "[dict(module='expert', channels=256, stride=16)]"
    leaf.write_text(
        f"_base_ = ['{tiny_scd_config}']\n"
        "custom_imports = dict(imports=['projects.example_project.example_project'])\n"
        "model = dict(losses=dict(normals=dict(type='NormalConsistencyLoss')),\n"
        '    pixel_weights=None,\n'
        f"    distiller=dict(teacher=dict(_delete_=True, type='TorchScriptTeacher',\n"
        f"        file='{expert}', taps={taps})))\n"
        'train_cfg = dict(max_iters=3, val_interval=3)\n'
    )
    path = '.' + os.pathsep + os.environ.get('PYTHONPATH', '')
    result = run_tool(
        'tools/train.py', leaf, '--work-dir', tmp_path / 'w', '--no-validate',
        env=dict(PYTHONPATH=path, OMP_NUM_THREADS='1'),
    )  # fmt: skip
    said = result.stdout + result.stderr
    assert 'loss_normals' in said and 'teacher TorchScriptTeacher' in said
    assert (tmp_path / 'w' / 'iter_3.pth').is_file() or list((tmp_path / 'w').glob('iter_*.pth'))

"""The laboratory's plan: every variant builds, and all of a seed can go on from one trunk."""

import sys
from pathlib import Path

import pytest
import torch

from mmscd.registry import MODELS
from mmscd.robustness.ablation_runs import Ablation
from mmscd.robustness.plan import read_plan
from mmscd.utils.config import load_config
from mmscd.utils.option_action import parse_options

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'demo_world'
OFF = 1_000_000


@pytest.fixture(scope='module')
def plan():
    return read_plan(PROJECT / 'lab.yml')


@pytest.fixture(scope='module')
def configs(plan):
    return {
        name: load_config(str(ROOT / config), parse_options(own))
        for name, config, *own in plan.variants
    }


def test_all_variants_share_their_beginning(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    runs = Ablation(plan.variants, tmp_path, ROOT, plan.seeds, shared_until=1000, sets=plan.sets)
    runs = runs.list_runs()
    assert len(runs) == 5 * len(plan.variants) and {run.iterations for run in runs} == {2000}
    assert [run.variant for run in runs[:2]] == ['baseline', 'full']


def test_variants_have_the_same_parameters_and_draws(configs):
    names = None
    for name, cfg in configs.items():
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        own = {key: (value.shape, value.sum()) for key, value in model.named_parameters()}
        names = names or own
        assert own == names, name
    assert {'distiller', 'backbone', 'pose_net', 'disp_head'} <= {k.split('.')[0] for k in names}


def test_variants_are_what_their_names_say(configs):
    parts, losses = {}, {}
    for name, cfg in configs.items():
        schedule = cfg.default_hooks.schedule.parts
        parts[name] = {key for key, part in schedule.items() if part.get('begin', 0) < OFF}
        listed = cfg.model.distiller.losses
        losses[name] = {key for key, loss in listed.items() if loss.loss_weight}
    graph = {'edge', 'node', 'anchor'}
    everything = {'graph', 'texture', 'structure'}
    assert parts['baseline'] == set() and parts['full'] == parts['full-random'] == everything
    for name in ('graph', 'graph-inter', 'graph-random', 'pairwise', 'channels'):
        assert parts[name] == {'graph'}, name
    assert parts['texture'] == parts['twice'] == {'texture'} and parts['structure'] == {'structure'}
    assert losses['graph-inter'] == graph | {'inter'}
    assert losses['pairwise'] == {'pairwise'} and losses['channels'] == {'channels'}
    assert all(losses[n] == graph for n in ('full', 'graph', 'full-random', 'graph-random'))
    for name, cfg in configs.items():
        teacher = cfg.model.distiller.teacher
        assert (
            (teacher.checkpoint is None)
            == name.endswith('-random')
            == bool(teacher.get('allow_random'))
        )


def test_seen_twice_is_seen_unchanged(configs):
    loss = MODELS.build(configs['twice'].model).losses['texture']
    assert loss.samples == 1.0
    image, key = torch.rand(2, 3, 64, 192), torch.tensor([1, 2])
    perturbed = loss.perturbation(image, key)
    assert torch.equal(perturbed.image, image) and not perturbed.mask.any()
    other = MODELS.build(configs['full'].model).losses['texture'].perturbation(image, key)
    assert not torch.equal(other.image, image)


def test_teacher_and_baseline_of_the_laboratory():
    sys.path.insert(0, str(PROJECT))
    teacher = load_config(str(PROJECT / 'configs/lab_teacher_fpn_r18.py'))
    sys.path.remove(str(PROJECT))
    assert teacher.train_cfg.max_epochs == teacher.param_scheduler[-1].end == 12
    assert teacher.train_dataloader.dataset.data_root == 'data/demo_lab'
    baseline = load_config(str(PROJECT / 'configs/lab_monodepth2_r18.py'))
    assert baseline.test_dataloader.dataset.data_root == 'data/demo_lab'
    assert baseline.test_evaluator.protocol.labels == ('image_02/data', 'labels/image_02')
    assert 'distiller' not in baseline.model and baseline.train_cfg.max_iters == 2000
    MODELS.build(baseline.model)

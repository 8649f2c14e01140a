"""The distiller inside an estimator: teacher untouched, parameters, passes, schedule."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmscd.models import SelfSupervisedDepthEstimator
from mmscd.models.distillers.graph_diagnostics import describe_graphs
from mmscd.registry import LOSSES as LOSS_REGISTRY
from mmscd.utils.keyed_random import make_key

H, W = 64, 96
STUDENT_TAP = dict(module='backbone', index=3, channels=256, stride=16)
TYPES = dict(edge='EdgeKLLoss', node='NodeCosineLoss', anchor='AnchorLoss')
LOSSES = {name: dict(type=type_, loss_weight=0.1) for name, type_ in TYPES.items()}
NAMES = {f'loss_distill_{name}' for name in LOSSES}


class SmallTeacher(nn.Module):
    """Two maps of a network with batch norm, always in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 12, 2, 2), nn.BatchNorm2d(12))
        self.calls = []
        self.requires_grad_(False).eval()

    def train(self, mode=True):
        return super().train(False)

    @torch.no_grad()
    def forward(self, images):
        self.calls.append(images)
        coarse = self.second(fine := self.first(images))
        return dict(feats=[coarse, fine], logits=coarse[:, :5])


TEACHER_TAPS = [dict(module='second', channels=12, stride=16)]
FINE_TAP = dict(module='first', channels=8, stride=8)


def distiller_cfg(losses=LOSSES, student_taps=(STUDENT_TAP,), taps=TEACHER_TAPS, **kwargs):
    teacher = dict(type='SmallTeacher', taps=list(taps))
    return dict(
        type='IsomorphicGraphDistiller', student_taps=list(student_taps), teacher=teacher,
        losses=losses, dim=8, **kwargs,
    )  # fmt: skip


def build(cfg=None, attach=True, losses=None, **kwargs):
    torch.manual_seed(0)
    encoder = dict(type='ResNetEncoder', depth=18)
    model = SelfSupervisedDepthEstimator(
        backbone=encoder,
        disp_head=dict(type='DispHead', channels=(4, 4, 8, 8, 16)),
        pose_net=dict(type='PoseNet', encoder=dict(encoder, in_channels=6), channels=16),
        losses=losses or dict(smoothness=dict(type='SmoothnessLoss')),
        distiller=cfg or distiller_cfg(),
        **kwargs,
    )
    if attach:
        torch.manual_seed(1)
        model.distiller.attach_teacher(SmallTeacher())
    return model.train()


def make_inputs(model, batch=2, seed=0, training=True):
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch * 3, 3, 8, 12, generator=g) * 255
    inputs = dict(
        frames=F.interpolate(coarse, (H, W), mode='bilinear').to(torch.uint8).view(-1, 3, 3, H, W),
        K=torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]]).repeat(batch, 1, 1),
        draw_key=torch.tensor([make_key(seed, i) for i in range(batch)]),
    )
    return model.data_preprocessor(dict(inputs=inputs, data_samples=None), training)['inputs']


def distilled(losses):
    return {name: value for name, value in losses.items() if name in NAMES}


def test_losses_train_student_and_graph_and_every_parameter_takes_part():
    model = build()
    losses = model(make_inputs(model), mode='loss')
    assert set(distilled(losses)) == NAMES
    assert all(value > 0 for value in distilled(losses).values())
    sum(distilled(losses).values()).backward()
    for name, p in model.distiller.named_parameters():
        assert p.grad is not None and p.grad.any(), name
    assert model.backbone.layer3[1].conv2.weight.grad.any()
    assert model.backbone.layer4[0].conv1.weight.grad is None


def test_the_teacher_sees_clean_flipped_targets_and_is_left_alone():
    model = build()
    teacher = model.distiller.teacher
    before = copy.deepcopy(teacher.state_dict())
    for seed in range(3):
        inputs = make_inputs(model, seed=seed)
        model.train()
        total = sum(distilled(model(inputs, mode='loss')).values())
        total.backward()
        assert torch.equal(teacher.calls[-1], inputs['frames'][:, 0])
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert not any(m.training for m in teacher.modules())
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())


def test_the_teacher_is_outside_the_tree_and_outside_copies():
    model, bare = build(), build(attach=False)
    assert model.state_dict().keys() == bare.state_dict().keys()
    assert not [m for m in model.modules() if isinstance(m, SmallTeacher)]
    assert len(list(model.parameters())) == len(list(bare.parameters()))
    assert copy.deepcopy(model).distiller.teacher is None
    average = ExponentialMovingAverage(model)
    assert average.module.distiller.teacher is None
    assert 'module.distiller.graphs.0.projections.query.weight' in average.state_dict()
    model.distiller.detach_teacher()
    assert model.distiller.teacher is None
    model.distiller.set_strength(0)
    model(make_inputs(model), mode='loss')


def test_strength_scales_and_zero_leaves_the_teacher_asleep():
    model = build()
    inputs = make_inputs(model)
    model.eval()  # batch statistics stay the same between calls
    whole = distilled(model(inputs, mode='loss'))
    model.distiller.set_strength(0.25)
    quarter = distilled(model(inputs, mode='loss'))
    for name, value in whole.items():
        assert quarter[name].item() == pytest.approx(value.item() / 4, rel=1e-6)
    model.distiller.teacher.calls.clear()
    model.distiller.set_strength(0)
    losses = model(inputs, mode='loss')
    assert not model.distiller.teacher.calls
    assert set(distilled(losses)) == NAMES and not any(distilled(losses).values())
    assert not any('graph' in name for name in losses)
    sum(distilled(losses).values()).backward()
    for name, p in model.distiller.named_parameters():
        assert p.grad is not None and not p.grad.any(), name
    with pytest.raises(ValueError, match='at least 0, got -1'):
        model.distiller.set_strength(-1)


ALTERNATIVES = dict(
    pairwise=dict(type='PairwiseSimilarityLoss'), channel=dict(type='ChannelWiseKLLoss')
)


def test_alternatives_bring_only_what_they_need():
    model = build(distiller_cfg(ALTERNATIVES))
    names = [n for n, _ in model.distiller.named_parameters()]
    assert names == ['graphs.0.losses.channel.align.weight']
    losses = model(make_inputs(model), mode='loss')
    assert losses['loss_distill_pairwise'] > 0 and losses['loss_distill_channel'] > 0
    assert not any(name.startswith('graph_') for name in losses)
    # an edge loss alone leaves W_v without a use, which DDP must not notice
    model = build(distiller_cfg(dict(edge=LOSSES['edge'], node=None)))
    losses = model(make_inputs(model), mode='loss')
    assert 'loss_distill_node' not in losses
    losses['loss_distill_edge'].backward()
    assert all(p.grad is not None for p in model.distiller.parameters())
    assert not model.distiller.graphs[0].projections.value.weight.grad.any()


def test_no_losses_mean_a_teacher_for_others():
    model = build(distiller_cfg({}, student_taps=(), taps=()))
    inputs = make_inputs(model)
    outputs = model.compute_outputs(inputs)
    model.distiller.run_teacher(outputs)
    assert outputs.teacher['logits'].shape == (2, 5, 4, 6)
    assert model.distiller(outputs) == {} and not list(model.distiller.parameters())


def test_several_taps_are_averaged():
    taps = [TEACHER_TAPS[0], FINE_TAP]
    student = [STUDENT_TAP, dict(module='backbone', index=2, channels=128, stride=8)]
    both = build(distiller_cfg(student_taps=student, taps=taps, pairs=[(0, 0), (1, 1)])).eval()
    inputs = make_inputs(both)
    values = distilled(both(inputs, mode='loss'))
    alone = []
    for i in (0, 1):
        model = build(distiller_cfg(student_taps=student, taps=taps, pairs=[(i, i)])).eval()
        graph = model.distiller.graphs[0]
        graph.load_state_dict(both.distiller.graphs[i].state_dict())
        alone.append(distilled(model(inputs, mode='loss')))
    for name in NAMES:
        mean = (alone[0][name] + alone[1][name]).item() / 2
        assert values[name].item() == pytest.approx(mean, rel=1e-5)
    assert build(distiller_cfg(taps=taps)).distiller.pairs == [(0, 0), (0, 1)]


@LOSS_REGISTRY.register_module()
class ExtraPass(nn.Module):
    """A loss that runs the depth network once more."""

    makes = ('perturbed',)
    count = None

    def forward(self, outputs):
        disps = outputs.rerun(outputs.target[: self.count] * 0.5, 'perturbed')
        return disps[0].mean()


def test_the_perturbed_pass_by_option():
    cfg = distiller_cfg(passes=('clean', 'perturbed'))
    with pytest.raises(ValueError, match="model.distiller .* needs 'perturbed', which no part"):
        build(cfg)
    model = build(cfg, losses=dict(extra=dict(type='ExtraPass')))
    inputs = make_inputs(model)
    del model.losses['extra']
    with pytest.raises(ValueError, match=r"distil the pass 'perturbed'.* \(there are \['clean'\]"):
        model(inputs, mode='loss')
    model.losses['extra'] = ExtraPass()
    model.eval()
    values, clean = distilled(model(inputs, mode='loss')), build().eval()
    clean.load_state_dict(model.state_dict())
    clean.losses['extra'] = ExtraPass()
    only_clean = distilled(clean(inputs, mode='loss'))
    assert values['loss_distill_edge'] != only_clean['loss_distill_edge']
    # by default the extra pass is not distilled
    del clean.losses['extra']
    without = distilled(clean(inputs, mode='loss'))
    assert without['loss_distill_edge'] == only_clean['loss_distill_edge']
    model.losses['extra'].count = 1
    with pytest.raises(ValueError, match="'perturbed', which saw 1 of 2 images: set `samples=1.0`"):
        model(inputs, mode='loss')


def test_a_perturbed_pass_of_half_a_batch_is_refused_before_training():
    cfg = distiller_cfg(passes=('clean', 'perturbed'))
    half = dict(type='TextureDisambiguationLoss', samples=0.5)
    with pytest.raises(ValueError, match=r"'perturbed', of which losses.texture makes .* 0.5 of"):
        build(cfg, losses=dict(texture=half))
    build(cfg, losses=dict(texture=dict(half, samples=1.0)))
    build(distiller_cfg(), losses=dict(texture=half))


def test_diagnostics_on_demand():
    model = build().eval()
    inputs = make_inputs(model)
    losses = model(inputs, mode='loss')
    names = {'graph_self_mass', 'graph_entropy', 'graph_same_class', 'graph_chance'}
    assert {n for n in losses if n.startswith('graph')} == names
    outputs = model.compute_outputs(inputs)
    model.distiller.run_teacher(outputs)
    ((_, pair),) = model.distiller.graph_pairs(outputs)
    assert pair.teacher.features.shape == (2, 24, 12)
    numbers = describe_graphs([pair.teacher], outputs.teacher['logits'], (4, 6))
    for name in names:
        assert 0 <= losses[name] <= 1 and not losses[name].requires_grad
        assert losses[name].item() == pytest.approx(numbers[name].item(), rel=1e-5)
    model.distiller.diagnose = False
    assert not [n for n in model(inputs, mode='loss') if n.startswith('graph')]


def test_bfloat16_networks_and_float64():
    exact, mixed = build().eval(), build(network_dtype='bfloat16').eval()
    inputs = make_inputs(exact)
    one, other = (distilled(m(inputs, mode='loss')) for m in (exact, mixed))
    assert all(value.dtype == torch.float32 for value in other.values())
    for name in NAMES:
        assert other[name].item() == pytest.approx(one[name].item(), rel=0.02)
    sum(other.values()).backward()
    assert mixed.distiller.graphs[0].projections.query.weight.grad.any()
    # also when the caller's autocast covers the whole loss, as AmpOptimWrapper's does
    with torch.autocast('cpu', torch.bfloat16):
        inside = distilled(exact(inputs, mode='loss'))
    assert all(value.dtype == torch.float32 for value in inside.values())
    outputs = exact.compute_outputs(inputs)
    exact.distiller.run_teacher(outputs)
    outputs.student_feats['clean'] = [m.double() for m in outputs.student_feats['clean']]
    double = exact.distiller.double()(outputs)
    assert all(value.dtype == torch.float64 for value in double.values())
    assert double['loss_distill_anchor'].item() == pytest.approx(
        one['loss_distill_anchor'].item(), rel=1e-4
    )


def test_own_learning_rate():
    model = build()
    paramwise = dict(custom_keys={'distiller': dict(lr_mult=10.0)})
    constructor = DefaultOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4)), paramwise
    )
    groups = constructor(model).optimizer.param_groups
    rates = {id(p): group['lr'] for group in groups for p in group['params']}
    assert len(rates) == len(list(model.parameters()))
    for name, p in model.named_parameters():
        assert rates[id(p)] == pytest.approx(1e-3 if name.startswith('distiller') else 1e-4), name


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='at least one student tap, got none'):
        build(distiller_cfg(student_taps=()))
    with pytest.raises(ValueError, match='teacher tap .* must declare its channels'):
        build(distiller_cfg(taps=[dict(module='second')]))
    two, three = [STUDENT_TAP] * 2, TEACHER_TAPS * 3
    with pytest.raises(ValueError, match='2 student taps and 3 teacher taps do not pair up'):
        build(distiller_cfg(student_taps=two, taps=three))
    with pytest.raises(ValueError, match=r'indices of 1 student taps and 1 .*got \[\(0, 1\)\]'):
        build(distiller_cfg(pairs=[(0, 1)]))
    with pytest.raises(ValueError, match='tau must be positive, got 0'):
        build(distiller_cfg(tau=0))
    with pytest.raises(RuntimeError, match='no teacher: add `default_hooks.distill'):
        model = build(attach=False)
        model(make_inputs(model), mode='loss')
    with pytest.raises(ValueError, match=r'student tap backbone\[3\] declares 128 channels, found'):
        model = build(distiller_cfg(student_taps=[dict(STUDENT_TAP, channels=128)]))
        model(make_inputs(model), mode='loss')
    with pytest.raises(ValueError, match='teacher tap second declares 13 channels'):
        model = build(distiller_cfg(taps=[dict(TEACHER_TAPS[0], channels=13)]))
        model(make_inputs(model), mode='loss')

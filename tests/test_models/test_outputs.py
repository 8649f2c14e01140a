"""What a step hands to its losses: its first samples, results made once, needs."""

import pytest
import torch
from torch import nn

from mmscd.models import outputs as module
from mmscd.models.losses import TextureDisambiguationLoss
from mmscd.models.outputs import StepOutputs, check_needs, form_of_kernels
from mmscd.models.texture import PerturbedTexture
from mmscd.registry import MODELS
from mmscd.utils.keyed_random import make_key

BATCH, H, W = 4, 24, 40


@MODELS.register_module()
class HalfGreyForOutputs(nn.Module):
    """Stands in for the perturbation: the left half is grey."""

    def forward(self, image, draw_key):
        assert len(image) == len(draw_key)
        mask = torch.zeros_like(image[:, :1])
        mask[..., : W // 2] = 1
        return PerturbedTexture(torch.where(mask > 0, 0.5, image), mask, *[mask] * 4)


def make_outputs(**more):
    g = torch.Generator().manual_seed(0)
    K = torch.tensor([[30.0, 0, 19.5], [0, 30.0, 11.5], [0, 0, 1]]).repeat(BATCH, 1, 1)
    return StepOutputs(
        target=torch.rand(BATCH, 3, H, W, generator=g),
        sources=torch.rand(BATCH, 2, 3, H, W, generator=g),
        source_ids=(-1, 1),
        K=K,
        inv_K=torch.linalg.inv(K),
        T_source_target=torch.eye(4).repeat(BATCH, 2, 1, 1),
        draw_key=torch.tensor([make_key(0, i) for i in range(BATCH)]),
        disps=[torch.rand(BATCH, 1, H, W, generator=g) * 0.05 + 0.01],
        rerun=lambda image, name: [0.01 + 0.05 * image.mean(1, keepdim=True)],
        **more,
    )


def test_first_cuts_what_has_a_batch_and_nothing_else():
    pose, weight = torch.eye(4), torch.rand(BATCH, 1, H, W)
    outputs = make_outputs(
        network_input=torch.zeros(BATCH, 3, 3, H, W),
        feats=(torch.zeros(BATCH, 8, 3, 5),),
        pixel_weights=dict(moving=weight),
        student_feats=dict(clean=[torch.zeros(BATCH, 8, 3, 5)]),
        teacher=dict(feats=[torch.zeros(BATCH, 6, 3, 5)], logits=None, pose=pose),
        perturbed=PerturbedTexture(*[torch.zeros(BATCH, 1, H, W)] * 6),
        extras=dict(pose=pose),
        notes=dict(disp_spread=torch.ones(())),
    )
    outputs.once('whole', (), lambda: 'of the whole batch')
    two = outputs.first(2)
    for name in ('target', 'sources', 'K', 'inv_K', 'T_source_target', 'network_input', 'draw_key'):
        assert torch.equal(getattr(two, name), getattr(outputs, name)[:2]), name
    assert [len(m) for m in (*two.disps, *two.feats, *two.student_feats['clean'])] == [2] * 3
    assert torch.equal(two.pixel_weights['moving'], weight[:2])
    assert len(two.teacher['feats'][0]) == 2 and two.teacher['logits'] is None
    # a matrix that has as many rows as the batch has samples stays what it is
    assert two.extras['pose'] is pose and two.teacher['pose'] is pose
    assert two.perturbed is None and two.memo == {} and two.notes == {}
    assert two.source_ids == (-1, 1) and two.rerun is outputs.rerun
    assert len(outputs.target) == BATCH and outputs.notes
    assert len(make_outputs(teacher=dict(feats=[], logits=weight)).first(3).teacher['logits']) == 3


def test_first_of_all_keeps_what_was_made():
    outputs = make_outputs()
    outputs.once('x', (), lambda: 1)
    whole = outputs.first(BATCH)
    assert whole.target is outputs.target and whole.once('x', (), lambda: 2) == 1
    whole.notes['mine'] = torch.ones(())
    assert not outputs.notes


def test_two_terms_that_perturb_a_share_of_the_batch():
    """The second term meets what the first one has made."""
    outputs = make_outputs()
    loss = TextureDisambiguationLoss(perturbation=dict(type='HalfGreyForOutputs'), samples=0.5)
    first, second = loss(outputs), loss(outputs)
    assert len(outputs.perturbed.image) == 2
    assert torch.equal(first, second) and first > 0


def test_once_compares_objects():
    outputs, a, calls = make_outputs(), torch.zeros(1), []
    for inputs in ((a,), (a,), (a.clone(),), (a, a)):
        outputs.once('x', inputs, lambda: calls.append(0))
    assert len(calls) == 3


def test_reading_it_as_a_mapping_says_how_to_read_it():
    with pytest.raises(TypeError, match=r"read outputs.disps instead of outputs\['disps'\]"):
        make_outputs()['disps']
    with pytest.raises(TypeError, match=r'read outputs.notes instead'):
        make_outputs()['diagnostics']


class Part(nn.Module):
    def __init__(self, needs=(), makes=()):
        super().__init__()
        self.needs, self.makes = needs, makes


def test_needs_are_made_by_another_part():
    texture, plain = Part(makes=('perturbed',)), nn.Identity()
    reader = Part(needs=('perturbed', 'pixel_weights.moving'))
    parts = {'losses.x': reader, 'losses.texture': texture, 'pixel_weights.moving': plain}
    check_needs(parts)
    with pytest.raises(ValueError, match=r"model.losses.x \(Part\) needs 'perturbed', which no"):
        check_needs({'losses.x': reader, 'pixel_weights.moving': plain})
    with pytest.raises(
        ValueError, match=r"needs 'pixel_weights.moving', .* add model.pixel_weights.moving, or set"
    ):
        check_needs({'losses.x': reader, 'losses.texture': texture})
    with pytest.raises(ValueError, match=r"needs 'perturbed', .* or change distiller.passes"):
        check_needs(dict(distiller=reader))
    with pytest.raises(ValueError, match='give the model a distiller, or set model.losses.y=None'):
        check_needs({'losses.y': Part(needs=('teacher',))})


def test_why_the_loss_is_slow_is_said_once(monkeypatch):
    said = []
    monkeypatch.setattr(module, 'print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr(module, 'choose_form', lambda kernels, device: ('torch', 'no compiler'))
    form_of_kernels.cache_clear()
    assert [form_of_kernels('auto', 'cpu') for _ in range(3)] == ['torch'] * 3
    assert said == ['no compiler']
    form_of_kernels.cache_clear()

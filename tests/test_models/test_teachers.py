"""The teacher: frozen, normalised as mmseg does it, its taps and weights checked by name."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from torch import nn

from mmscd.models.teachers import MMSegTeacher, choose_tap
from mmscd.models.teachers.mmseg_network import read_normalisation
from mmscd.registry import TEACHERS

pytest.importorskip('mmseg')

NETWORK = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    pretrained='open-mmlab://resnet18_v1c',
    backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=2,
        out_indices=(0, 1),
        strides=(1, 2),
        dilations=(1, 1),
        base_channels=16,
        stem_channels=16,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        init_cfg=dict(type='Pretrained', checkpoint='https://nowhere.invalid/weights.pth'),
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=32,
        in_index=1,
        channels=8,
        num_convs=1,
        num_classes=5,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    auxiliary_head=dict(type='FCNHead', in_channels=16, in_index=0, channels=8, num_classes=5),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32)),
)
# takes images of one size only
BEIT = dict(
    NETWORK,
    backbone=dict(
        type='BEiT',
        img_size=(64, 64),
        patch_size=16,
        embed_dims=32,
        num_layers=1,
        num_heads=2,
        qv_bias=True,
        init_values=0.1,
    ),
)
TAP = dict(module='backbone', index=1, channels=32, stride=8)


def make(**options) -> MMSegTeacher:
    options = dict(config=NETWORK, taps=[TAP], allow_random=True) | options
    return TEACHERS.build(dict(type='MMSegTeacher', **options))


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def test_maps_and_logits(image):
    answer = make(needs_logits=True, taps=[dict(module='backbone', index=0), TAP])(image)
    assert [tuple(f.shape) for f in answer['feats']] == [(2, 16, 16, 24), (2, 32, 8, 12)]
    assert answer['logits'].shape == (2, 5, 8, 12)
    only = make(needs_logits=True, taps=[])(image)
    torch.testing.assert_close(only['logits'], answer['logits'], rtol=0, atol=0)
    assert only['feats'] == [] and make()(image)['logits'] is None


def test_nothing_runs_that_is_not_needed(image):
    teacher = make(taps=[dict(module='backbone.layer1')])
    for name in ('layer2', None):
        part = getattr(teacher.network.backbone, name) if name else teacher.network.decode_head
        part.forward = None  # to call it is an error
    assert teacher(image)['feats'][0].shape == (2, 16, 16, 24)
    teacher.needs_logits = True
    with pytest.raises(TypeError):
        teacher(image)
    assert not any(m._forward_hooks for m in teacher.network.modules())


def test_maps_do_not_depend_on_what_else_is_asked(image):
    """ReLU in place follows the tapped normalisation."""
    taps = [dict(module='backbone.bn1'), dict(module='backbone.relu'), dict(module='decode_head')]
    stopped, whole = make(taps=taps)(image), make(taps=taps, needs_logits=True)(image)
    assert stopped['feats'][0].min() < 0 <= stopped['feats'][1].min()
    for a, b in zip(stopped['feats'], whole['feats'], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    torch.testing.assert_close(whole['feats'][2], whole['logits'], rtol=0, atol=0)


class Owner(nn.Module):
    """Holds its teacher outside the module tree, and trains."""

    def __init__(self, teacher: MMSegTeacher) -> None:
        super().__init__()
        self.student = nn.Conv2d(3, 32, 3, stride=8, padding=1)
        self.outside = [teacher]

    def forward(self, image):
        return (self.student(image) - self.outside[0](image)['feats'][0]).square().mean()


def test_training_leaves_the_teacher_alone(image):
    teacher = make()
    before = copy.deepcopy(teacher.network.state_dict())
    owner = Owner(teacher)
    names = [n for n, _ in owner.named_parameters()]
    assert names == ['student.weight', 'student.bias'] == list(owner.state_dict())
    assert teacher.train() is teacher and teacher.train(True) is teacher
    owner.train()
    teacher.network.train()  # even so
    x = image.requires_grad_()
    loss = owner(x)
    loss.backward()
    torch.optim.SGD(owner.parameters(), 1.0).step()
    assert not any(m.training for m in teacher.network.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert owner.student.weight.grad.abs().sum() > 0
    for name, value in teacher.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    feat = teacher(x)['feats'][0]
    assert not feat.requires_grad and not feat.is_inference()
    assert set(teacher.state_dict()) == {f'network.{k}' for k in before}


@pytest.mark.parametrize('turned', [dict(bgr_to_rgb=True), dict(bgr_to_rgb=False)])
def test_images_are_prepared_as_mmseg_does_it(turned):
    """Our RGB in [0, 1] against mmseg's own preprocessor on the BGR bytes of the same image."""
    config = copy.deepcopy(NETWORK)
    config['data_preprocessor'] = dict(
        type='SegDataPreProcessor', mean=[90.0, 110.0, 130.0], std=[50.0, 60.0, 70.0], **turned
    )
    teacher = make(config=config)
    rgb = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    bgr = list(rgb.flip(1).to(torch.uint8))
    expected = teacher.network.data_preprocessor(dict(inputs=bgr))['inputs']
    torch.testing.assert_close(teacher.prepare(rgb / 255), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('to_rgb', [True, False])
def test_normalisation_in_a_pipeline_is_the_same(image, to_rgb):
    stated = dict(mean=[90.0, 110.0, 130.0], std=[50.0, 60.0, 70.0])
    preprocessor = dict(type='SegDataPreProcessor', bgr_to_rgb=to_rgb, **stated)
    wanted = make(config=dict(NETWORK, data_preprocessor=preprocessor))
    bare = {key: value for key, value in NETWORK.items() if key != 'data_preprocessor'}
    normalize = dict(type='Normalize', to_rgb=to_rgb, **stated)
    flips = dict(type='MultiScaleFlipAug', transforms=[dict(type='Resize'), normalize])
    whole = dict(model=bare, data=dict(test=dict(pipeline=[flips])), train_pipeline=[normalize])
    teacher = make(config=whole)
    assert torch.equal(teacher(image)['feats'][0], wanted(image)['feats'][0])
    teacher = make(config=dict(model=bare, img_norm_cfg=dict(to_rgb=to_rgb, **stated)))
    assert torch.equal(teacher(image)['feats'][0], wanted(image)['feats'][0])
    other = dict(whole, test_pipeline=[dict(normalize, std=[1.0, 1.0, 1.0])])
    with pytest.raises(ValueError, match='its pipelines normalise images by'):
        make(config=other)
    with pytest.raises(ValueError, match='and data_preprocessor normalises too'):
        make(config=dict(whole, model=NETWORK))
    # at the top, where mmengine's Runner takes it from
    top = make(config=dict(model=bare, data_preprocessor=preprocessor))
    assert torch.equal(top(image)['feats'][0], wanted(image)['feats'][0])


def test_without_mean_the_network_sees_bytes():
    config = copy.deepcopy(NETWORK)
    config['data_preprocessor'] = dict(type='SegDataPreProcessor')
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(make(config=config).prepare(image), image.flip(1) * 255)


def test_own_size_type_and_memory_format(image):
    plain = make()(image)['feats'][0]
    fast = make(dtype='bfloat16', channels_last=True)
    assert fast.prepare(image).is_contiguous(memory_format=torch.channels_last)
    feat = fast(image)['feats'][0]
    assert feat.dtype == torch.float32
    error = (feat - plain).abs().mean() / plain.abs().mean()
    assert 1e-5 < error < 0.03
    with torch.autocast('cpu', torch.bfloat16):  # of the caller: the teacher keeps to its own
        torch.testing.assert_close(make()(image)['feats'][0], plain, rtol=0, atol=0)
    sized = make(input_size=(128, 64))
    assert sized(image)['feats'][0].shape == (2, 32, 8, 16)
    assert sized.probe(100, 300) == [(32, 8, 16)]
    expected = make()(F.interpolate(image, (64, 128), mode='bilinear', antialias=True))
    torch.testing.assert_close(sized(image)['feats'][0], expected['feats'][0])


def test_built_for_inference_in_its_own_scope():
    state = torch.random.get_rng_state()
    with DefaultScope.overwrite_default_scope('mmscd'):
        one = make()
        assert DefaultScope.get_current_instance().scope_name == 'mmscd'
    two = make()
    assert torch.equal(state, torch.random.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)  # random weights are the same in every process
    assert not one.network.with_auxiliary_head
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in one.modules())
    assert NETWORK['backbone']['init_cfg'] and NETWORK['auxiliary_head']  # the config is untouched
    whole = make(config=dict(model=NETWORK, default_scope='mmseg'))
    assert type(whole.network).__name__ == 'EncoderDecoder'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(channels=33), r'backbone\[1\] .*declares 33 channels at stride 8, found 32 channels'),
        (dict(stride=16), r'declares 32 channels at stride 16, found .*12x8.*\(stride 8\)'),
    ],
)
def test_a_tap_that_declares_wrongly_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        make(taps=[dict(TAP, **change)]).probe(64, 96)


def test_probe_tells_shapes_and_allows_rounding():
    assert make().probe(64, 96) == [(32, 8, 12)]
    beit = dict(config=BEIT, taps=[dict(module='backbone', index=-1, channels=32, stride=16)])
    with pytest.raises(
        RuntimeError, match='fails on images of 96x64: .*give the teacher that `inp'
    ):
        make(**beit).probe(64, 96)
    assert make(**beit, input_size=(64, 64)).probe(64, 96) == [(32, 4, 4)]
    assert make().probe(66, 99) == [(32, 9, 13)]
    assert make(taps=[dict(module='backbone', index=0)]).probe(64, 96) == [(16, 16, 24)]


def test_wrong_use_is_refused_by_name(image):
    with pytest.raises(ValueError, match="EncoderDecoder has no module 'backbone.layer9'.*layer1"):
        make(taps=[dict(module='backbone.layer9')])
    with pytest.raises(ValueError, match='needs taps or needs_logits'):
        make(taps=[])
    with pytest.raises(ValueError, match="dtype must be .*'half'"):
        make(dtype='half')
    with pytest.raises(ValueError, match=r'got torch.uint8 \(2, 3, 64, 96\)'):
        make()((image * 255).to(torch.uint8))
    with pytest.raises(ValueError, match='has no `model` with a `type`'):
        make(config=dict(train_cfg=dict()))
    broken = dict(NETWORK, decode_head=dict(type='MaskFormerHead', in_channels=[32]))
    with pytest.raises(RuntimeError, match='EncoderDecoder / ResNet / MaskFormerHead could not be'):
        make(config=broken)


@pytest.mark.parametrize(
    'config',
    [
        'mmseg::ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
        'mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    ],
)
def test_networks_that_answer_otherwise_in_training(config, image):
    """Their backbones put out a tuple in train mode."""
    tap = dict(module='backbone', channels=128, stride=8)
    teacher = make(config=config, taps=[tap], needs_logits=True)
    Owner(teacher).train()
    teacher.network.train()
    answer = teacher(image)
    assert answer['feats'][0].shape == (2, 128, 8, 12) and answer['logits'].shape[1] == 19
    assert choose_tap(config) == tap


def test_heads_that_only_predict_give_logits(image):
    """A cascade, and a head whose forward puts out a pair."""
    for config in ('ocrnet/ocrnet_hr18s_4xb2-160k', 'encnet/encnet_r50-d8_4xb2-40k'):
        name = f'mmseg::{config}_cityscapes-512x1024.py'
        teacher = make(config=name, taps=[], needs_logits=True)
        assert teacher(image[:1])['logits'].shape == (1, 19, 64, 96)


def test_the_tap_nearest_to_a_stride_is_chosen():
    assert choose_tap(NETWORK) == TAP
    assert choose_tap(NETWORK, stride=4) == dict(module='backbone', index=0, channels=16, stride=4)
    dilated = copy.deepcopy(NETWORK)
    dilated['backbone'].update(strides=(1, 1), dilations=(1, 2))
    with pytest.raises(ValueError, match='BEiT takes no images of 640x192 .*`input_size`'):
        choose_tap(BEIT)
    assert choose_tap(dilated) == dict(module='backbone', index=1, channels=32, stride=4)


@pytest.mark.parametrize('dtype', [pytest.param(None, marks=pytest.mark.slow), 'bfloat16'])
def test_the_real_teacher_reaches_its_numbers(mmscd_data, dtype):
    """Checks normalisation and channel order: with BGR images, accuracy is 75.7 and car 46.8."""
    path = mmscd_data / 'weights/teacher_fpn_r18_road_semantics'
    options = dict(dtype=dtype, channels_last=dtype is not None, allow_random=False)
    teacher = make(
        config=f'{path}.py', checkpoint=f'{path}.pth', taps=[], needs_logits=True, **options
    )
    assert teacher.classes[0] == 'road' and teacher.classes[13] == 'car'
    confusion = np.zeros((19, 19))
    for file in sorted((mmscd_data / 'road_semantics/images/val').iterdir()):
        rgb = torch.from_numpy(cv2.imread(str(file))[..., ::-1].copy()).permute(2, 0, 1) / 255
        label = cv2.imread(str(mmscd_data / f'road_semantics/labels/val/{file.stem}.png'), -1)
        logits = F.interpolate(teacher(rgb[None])['logits'], label.shape, mode='bilinear')
        known = label < 19
        np.add.at(confusion, (label[known], logits.argmax(1)[0].numpy()[known]), 1)
    hits = np.diag(confusion)
    iou = 100 * hits / (confusion.sum(0) + confusion.sum(1) - hits)
    assert 100 * hits.sum() / confusion.sum() == pytest.approx(78.3, abs=0.3)
    assert iou[0] == pytest.approx(78.7, abs=0.3) and iou[13] == pytest.approx(55.4, abs=0.3)


def test_a_normalisation_of_images_in_0_to_1_is_refused():
    stated = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    with pytest.raises(ValueError, match=r'mean \(0.485, .* give mean and std times 255'):
        read_normalisation(dict(data_preprocessor=stated))
    plain = dict(mean=[0.0] * 3, std=[1.0] * 3)
    assert read_normalisation(dict(data_preprocessor=plain)).std == (1.0, 1.0, 1.0)

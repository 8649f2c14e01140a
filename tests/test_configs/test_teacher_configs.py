"""Teacher files: as they declare, at work in the distiller; swapping leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmscd.models.distillers import IsomorphicGraphDistiller
from mmscd.models.outputs import StepOutputs
from mmscd.models.teachers import find_weights
from mmscd.models.teachers.teacher_option import set_teacher
from mmscd.registry import TEACHERS
from mmscd.utils.config import load_config

pytest.importorskip('mmseg')

FOLDER = Path(__file__).resolve().parents[2] / 'configs/teachers'
FILES = sorted(FOLDER.glob('*.py'))
PUBLISHED = [f for f in FILES if 'road_semantics' not in f.name]
STUDENT_TAP = dict(module='backbone', index=3, channels=256, stride=16)
LOSSES = dict(
    edge=dict(type='EdgeKLLoss'),
    node=dict(type='NodeCosineLoss'),
    anchor=dict(type='AnchorLoss'),
)
# as a teacher-less SCD base has it, with an option that the student's side asked for
BASE = """
model = dict(distiller=dict(type='IsomorphicGraphDistiller', student_taps=[], losses=dict()))
"""
LEAF = """
_base_ = ['./base.py', '{folder}/{teacher}.py']
model = dict(distiller=dict(teacher={{{{_base_.teacher}}}}))
"""


def read(path: Path) -> dict:
    return load_config(str(path)).teacher.to_dict()


def random_weights(teacher: dict) -> dict:
    return dict(teacher, checkpoint=None, allow_random=True)


def test_there_are_the_promised_teachers():
    names = ' '.join(f.stem for f in FILES)
    for part in (
        'segformer_b0 segformer_b5 deeplabv3plus_r18 pspnet_r18 bisenetv2 ddrnet_23-slim pidnet_s '
        'stdc1 stdc2 segnext_t fcn_hr18s upernet_swin-t fpn_r50 fpn_r18_road_semantics'
    ).split():
        assert part in names
    readme = (FOLDER / 'README.md').read_text()
    assert not [f.name for f in FILES if f'`{f.name}`' not in readme], 'not in the README'


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.stem)
def test_forward_in_the_distiller(path):
    config = load_config(str(path))
    assert set(config.keys()) == {'teacher'}
    teacher_cfg = random_weights(config.teacher.to_dict())
    if '::' not in teacher_cfg['config'] and not Path(teacher_cfg['config']).is_file():
        pytest.skip('real data: MMSCD_DATA is not set')
    teacher = TEACHERS.build(teacher_cfg)
    teacher.probe(64, 128)  # refuses what is not as declared
    distiller = IsomorphicGraphDistiller([STUDENT_TAP], teacher_cfg, LOSSES)
    distiller.attach_teacher(teacher)
    student = torch.rand(1, 256, 12, 40, requires_grad=True)
    outputs = StepOutputs(target=torch.rand(1, 3, 192, 640), student_feats=dict(clean=[student]))
    distiller.run_teacher(outputs)
    for tap, feat in zip(teacher.taps, outputs.teacher['feats'], strict=True):
        assert tap['stride'] in (8, 16) and torch.isfinite(feat).all()
        assert feat.shape == (1, tap['channels'], 192 // tap['stride'], 640 // tap['stride'])
    loss = sum(distiller(outputs).values())
    loss.backward()
    assert torch.isfinite(loss) and student.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda p: p.stem)
def test_weights_are_published(path):
    teacher = read(path)
    assert teacher['checkpoint'] == 'auto' and 'allow_random' not in teacher
    url = find_weights(teacher['config'])
    assert url.startswith('https://') and url.endswith('.pth')
    dataset = path.stem.rsplit('_', 1)[1]
    assert dataset in url and dataset in teacher['config']


@pytest.fixture
def leaf(tmp_path):
    """The path of a leaf that names a teacher among its bases."""
    (tmp_path / 'base.py').write_text(BASE)

    def write(teacher: str) -> Path:
        path = tmp_path / f'leaf_{teacher}.py'
        path.write_text(LEAF.format(folder=FOLDER, teacher=teacher))
        return path

    return write


def built(cfg) -> tuple[str, int]:
    """Class of the backbone, channels of the tap, of what is really built."""
    teacher = TEACHERS.build(random_weights(cfg.model.distiller.teacher.to_dict()))
    return type(teacher.network.backbone).__name__, teacher.probe(64, 128)[0][0]


def test_another_base_is_another_teacher(leaf):
    assert built(load_config(str(leaf('segformer_b0_cityscapes')))) == ('MixVisionTransformer', 160)
    assert built(load_config(str(leaf('stdc1_cityscapes')))) == ('STDCContextPathNet', 256)


def test_set_teacher_leaves_nothing_of_the_old_one(leaf):
    cfg = load_config(str(leaf('segformer_b0_cityscapes')))
    cfg.model.distiller.teacher.update(
        dtype='bfloat16', input_size=(64, 32), checkpoint='old.pth', needs_logits=True
    )
    returned = set_teacher(cfg, str(FOLDER / 'pidnet_s_cityscapes.py'))
    expected = dict(read(FOLDER / 'pidnet_s_cityscapes.py'), needs_logits=True)
    assert cfg.model.distiller.teacher.to_dict() == expected == returned.to_dict()
    assert cfg.teacher.to_dict() == expected  # nor where the base defined it
    assert 'segformer' not in cfg.pretty_text and 'old.pth' not in cfg.pretty_text
    assert built(cfg) == ('PIDNet', 128)
    set_teacher(cfg, str(FOLDER / 'stdc2_cityscapes.py'), checkpoint='mine.pth')
    assert cfg.model.distiller.teacher.checkpoint == 'mine.pth'


def test_set_teacher_takes_any_mmseg_config(leaf, tmp_path):
    cfg = load_config(str(leaf('stdc1_cityscapes')))
    name = 'mmseg::segformer/segformer_mit-b1_8xb1-160k_cityscapes-1024x1024.py'
    set_teacher(cfg, name)
    tap = dict(module='backbone', index=2, channels=320, stride=16)
    assert cfg.model.distiller.teacher.to_dict() == dict(
        type='MMSegTeacher', config=name, checkpoint='auto', taps=[tap]
    )
    assert built(cfg) == ('MixVisionTransformer', 320)
    mine = tmp_path / 'mine.py'
    mine.write_text(load_config(name).pretty_text)
    with pytest.raises(ValueError, match='no weights are known.*Give the weights too'):
        set_teacher(cfg, str(mine))
    assert set_teacher(cfg, str(mine), checkpoint='mine.pth').taps == [tap]


def test_set_teacher_refuses_what_makes_no_sense(leaf):
    cfg = load_config(str(leaf('stdc1_cityscapes')))
    with pytest.raises(ValueError, match='defines neither `teacher` nor `model`'):
        set_teacher(cfg, str(FOLDER.parent / '_base_/schedules/schedule_20e.py'))
    with pytest.raises(FileNotFoundError, match='there is no config configs/teachers/none.py'):
        set_teacher(cfg, 'configs/teachers/none.py')
    del cfg.model['distiller']
    with pytest.raises(ValueError, match='no model.distiller'):
        set_teacher(cfg, str(FOLDER / 'stdc1_cityscapes.py'))

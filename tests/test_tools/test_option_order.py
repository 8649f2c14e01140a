"""`--cfg-options` have the last word over the other options of tools/train.py."""

import importlib.util
from pathlib import Path

import pytest

from mmscd.engine import launch

ROOT = Path(__file__).resolve().parents[2]
MMSEG = 'mmseg::segformer/segformer_mit-b1_8xb1-160k_cityscapes-1024x1024.py'


@pytest.fixture()
def train(monkeypatch):
    """`tools/train.py` that returns its config and trains nothing."""
    spec = importlib.util.spec_from_file_location('train_tool', ROOT / 'tools/train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    seen = []

    class Runner:
        def train(self):
            pass

        def register_hook(self, hook):
            pass

    monkeypatch.setattr(launch, 'build_runner', lambda cfg, _: seen.append(cfg) or Runner())

    def run(*words):
        tool.main([str(ROOT / 'configs/scd/scd_r18_kitti.py'), *map(str, words)])
        return seen[-1]

    return run


def test_over_teacher(train, tmp_path):
    file = tmp_path / 'teacher.py'
    file.write_text(
        "teacher = dict(type='MMSegTeacher', config='a.py', checkpoint='a.pth', dtype='bfloat16',\n"
        "    taps=[dict(module='neck', index=1, channels=64, stride=8)])\n"
    )
    option = 'model.distiller.teacher.dtype=None'
    teacher = train('--teacher', file, '--cfg-options', option).model.distiller.teacher
    assert teacher.dtype is None and teacher.config == 'a.py'


def test_over_amp(train, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert train('--amp').get('model').get('network_dtype') == 'bfloat16'
    option = 'model.network_dtype=float32'
    assert train('--amp', '--cfg-options', option).model.network_dtype == 'float32'


def test_weights_of_an_mmseg_config_of_ones_own(train, tmp_path, capsys):
    from mmscd.utils.config import load_config

    mine = tmp_path / 'mine.py'
    mine.write_text(load_config(MMSEG).pretty_text)
    with pytest.raises(SystemExit, match='--cfg-options model.distiller.teacher.checkpoint=PATH'):
        train('--teacher', mine)
    option = 'model.distiller.teacher.checkpoint=mine.pth'
    teacher = train('--teacher', mine, '--cfg-options', option).model.distiller.teacher
    assert (teacher.config, teacher.checkpoint) == (str(mine), 'mine.pth')


def test_a_misspelt_option_is_one_sentence(train):
    with pytest.raises(SystemExit, match='train_dataloder.batch_size.*train_dataloader'):
        train('--cfg-options', 'train_dataloder.batch_size=7')

"""What is printed is the whole config, and can be read back."""

import pytest
from mmengine.config import Config

from mmscd.utils.config import load_config
from tools.misc import print_config

CONFIG = 'configs/scd/scd_r18_kitti.py'


def test_the_whole_config_comes_back(tmp_path, capsys):
    out = tmp_path / 'whole.py'
    print_config.main([CONFIG, '--out', str(out), '--cfg-options', 'model.max_depth=80.0'])
    printed = capsys.readouterr().out
    expected = load_config(CONFIG, {'model.max_depth': 80.0})
    for text in (printed, out.read_text()):
        assert Config.fromstring(text, '.py').to_dict() == expected.to_dict()
    assert expected.model.max_depth == 80.0


def test_a_part(capsys):
    print_config.main([CONFIG, '--key', 'model.losses.smoothness'])
    printed = Config.fromstring(capsys.readouterr().out, '.py')
    assert printed.to_dict() == dict(smoothness=dict(type='SmoothnessLoss', loss_weight=1e-3))
    print_config.main([CONFIG, '--key', 'test_dataloader.dataset.pipeline.1.type'])
    assert "type = 'ResizeFrames'" in capsys.readouterr().out


def test_mistakes(tmp_path):
    for arguments, words in (
        ([CONFIG, '--key', 'model.lossess'], "no 'lossess' in model, which has .*'losses'"),
        ([CONFIG, '--key', 'model.type.x'], "no 'x' in model.type, which has a str"),
        (['configs/none.py'], 'there is no config'),
        ([CONFIG, '--out', str(tmp_path / 'x.yaml')], 'must end in .py'),
    ):
        with pytest.raises(SystemExit, match=words):
            print_config.main(arguments)

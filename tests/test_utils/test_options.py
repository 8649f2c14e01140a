"""Options that hit nothing are refused, those that are new and right pass."""

from argparse import ArgumentParser

import pytest

from mmscd.utils.config import load_config, select
from mmscd.utils.option_action import OptionAction

SCD = 'configs/scd/scd_r18_kitti.py'


@pytest.mark.parametrize(
    ('key', 'value', 'near'),
    [
        ('train_dataloder.batch_size', 7, r"option train_dataloder.batch_size.*'train_dataloader'"),
        ('mine', 1, "unknown name .option mine. 'mine'"),
        ('default_hooks.distil', None, "'distil': did you mean one of .'distill'"),
        ('default_hooks.distil.every', 2, "needs a type.*'distill'"),
        ('model.losses.textur.samples', 0.5, "'textur': did you mean one of .'texture'"),
        ('model.losses.mine', {'loss_weight': 1.0}, "unknown name .*'mine'"),
        ('env_cfg.cudnn_benchmar', True, "'cudnn_benchmark'"),
        ('auto_scale_lr.base_batch', 3, "'base_batch_size'"),
        ('img_size', (320, 96), 'img_size changes nothing any more'),
        ('train_pipeline.0.type', 'X', 'train_pipeline changes nothing any more'),
        ('train_dataloader.dataset.pipeline.9.size', (64, 64), "a list of 3, of which '9' is no"),
        ('train_dataloader.dataset.pipeline.-1.size', (64, 64), "a list of 3, of which '-1' is no"),
        ('model.backbone.depth.x', 3, "model.backbone.depth is 18, of which 'x' is no part"),
        ('val_evaluator.protocol.max_depth', 50, 'or val_evaluator.protocol._delete_=True too'),
    ],
)
def test_what_hits_nothing_is_refused(key, value, near, tmp_path):
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        f"_base_ = 'mmscd::{SCD.removeprefix('configs/')}'\nimg_size = (640, 192)\n"
        'model = dict(max_depth=img_size[0] / 8)\n'
    )
    with pytest.raises(ValueError, match=near):
        load_config(str(leaf), {key: value})


@pytest.mark.parametrize(
    'options',
    [
        {'model.losses.mine.type': 'Mine', 'model.losses.mine.loss_weight': 0.5},
        {'model.losses.mine': {'type': 'Mine'}},
        {'default_hooks.mine.type': 'Mine'},
        {'default_hooks.distill': None, 'model.distiller': None},
        {'test_evaluator.per_image_path': 'a.json'},
        {'test_evaluator.bootstrap': 2000},
        {'train_cfg.max_iters': 1, 'train_dataloader.timeout': 3},
        {'train_dataloader.dataset.pipeline.0.new': 3},
        {'optim_wrapper.clip_grad.max_norm': 35.0},
        {'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult': 0.1},
        {'randomness.deterministic': True, 'work_dir': 'x', 'load_from': 'a.pth'},
        {'find_unused_parameters': True, 'env_cfg.dist_cfg.backend': 'gloo'},
        {'model.distiller.teacher.dtype': None},
    ],
)
def test_what_is_new_and_right_passes(options):
    cfg = load_config(SCD, options)
    for key, value in options.items():
        assert select(cfg, key) == value


def test_a_key_of_ones_own_can_be_changed(tmp_path):
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        f'"""What mine is for."""\n_base_ = \'mmscd::{SCD.removeprefix("configs/")}\'\n'
        'mine = dict(a=1)  # mine is read by a hook\n'
    )
    assert load_config(str(leaf), {'mine.b': 2}).mine == dict(a=1, b=2)


def test_hooks_of_mmengine_can_be_switched_off_unseen(tmp_path):
    leaf = tmp_path / 'leaf.py'
    leaf.write_text("default_hooks = dict(checkpoint=dict(type='CheckpointHook'))\n")
    assert load_config(str(leaf), {'default_hooks.timer': None}).default_hooks.timer is None


def parse(*words):
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


@pytest.mark.parametrize(
    ('word', 'told'),
    [
        ('foo', "'foo' is not KEY=VALUE"),
        ('=3', 'is not KEY=VALUE'),
        ('model..backbone=3', 'is not KEY=VALUE'),
        ('pipeline.1.size=[640,192', 'a bracket is not closed'),
        ("a.b=dict(preset='kitti_eigen',max_depth=50)", 'one by one, a.b.NAME=VALUE'),
        ('a={"preset":"kitti_eigen"}', 'one by one, a.NAME=VALUE'),
        ("a=[dict(type='LoadFrames')]", 'one by one, a.NAME=VALUE'),
    ],
)
def test_a_word_that_is_no_option_is_one_sentence(word, told, capsys):
    with pytest.raises(SystemExit):
        parse(word)
    assert told in capsys.readouterr().err


def test_values_are_what_they_look_like():
    found = parse('work_dir=2026_11_28', 'model.frame_ids=(0,-1,1,s)', 'a=b=c', 'd=1e-4')
    assert found == {
        'work_dir': '2026_11_28', 'model.frame_ids': (0, -1, 1, 's'), 'a': 'b=c', 'd': 1e-4,
    }  # fmt: skip


def test_a_whole_number_stays_one():
    iterations = load_config(SCD, parse('train_cfg.max_iters=1e5')).train_cfg.max_iters
    assert iterations == 100_000 and isinstance(iterations, int)


def test_a_value_is_replaced_by_parts():
    words = ('_delete_=True', 'preset=kitti_eigen', 'max_depth=50')
    cfg = load_config(SCD, parse(*(f'val_evaluator.protocol.{word}' for word in words)))
    assert cfg.val_evaluator.protocol == dict(preset='kitti_eigen', max_depth=50)

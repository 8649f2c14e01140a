"""Counts of iterations: all scaled in one place, and the keys of before."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmscd.engine.schedules import refuse_old_keys, scale_schedule
from mmscd.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]


def test_auto_scale_lr_keeps_the_epochs():
    cfg = load_config(str(ROOT / 'configs/monodepth2/monodepth2_r18_kitti.py'))
    scale_schedule(cfg, 96)
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(8e-4)
    assert cfg.train_cfg.max_iters == round(20 * 3317 / 8)
    assert cfg.param_scheduler[0].milestones == [round(15 * 3317 / 8)]
    cfg = load_config(str(ROOT / 'configs/scd/scd_r18_kitti.py'))
    scale_schedule(cfg, 96)
    assert cfg.default_hooks.schedule.ramp == cfg.default_hooks.schedule.begin == round(6634 / 8)


def test_every_count_of_iterations_is_scaled():
    cfg = load_config(str(ROOT / 'configs/scd/scd_r18_kitti-mini.py'))
    cfg.default_hooks.schedule.parts.texture = dict(begin=0, ramp=100)
    cfg.default_hooks.schedule.end = 1000
    cfg.custom_hooks = [dict(type='EMAHook', begin_iter=200)]
    cfg.train_cfg.val_begin = 50
    scale_schedule(cfg, 16)
    hooks = cfg.default_hooks
    schedule = hooks.schedule
    assert (schedule.begin, schedule.ramp, schedule.end) == (375, 30, 500)
    assert dict(schedule.parts.texture) == dict(begin=0, ramp=50)
    assert schedule.parts.graph == {}
    assert (hooks.checkpoint.interval, hooks.distill.interval) == (75, 25)
    assert (hooks.collapse_monitor.begin, hooks.collapse_monitor.interval) == (100, 25)
    assert (hooks.logger.interval, hooks.visualization.get('interval')) == (20, None)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval, cfg.train_cfg.val_begin) == (
        525, 75, 25,
    )  # fmt: skip
    assert (cfg.param_scheduler[0].begin, cfg.param_scheduler[0].end) == (225, 525)
    assert cfg.custom_hooks[0].begin_iter == 100


def test_a_hook_that_is_switched_off_has_no_counts():
    cfg = load_config(str(ROOT / 'configs/scd/scd_r18_kitti-mini.py'))
    cfg.default_hooks.distill = cfg.default_hooks.schedule = cfg.default_hooks.collapse_monitor = (
        None
    )
    scale_schedule(cfg, 16)
    assert cfg.train_cfg.max_iters == 525


@pytest.mark.parametrize(
    'hooks, new',
    [
        (dict(loss_schedule=dict(losses=dict(texture=dict(begin=3)))), 'default_hooks.schedule'),
        (dict(distill=dict(begin=3)), 'default_hooks.schedule.begin for all parts'),
        (dict(distill=dict(end=None)), 'default_hooks.schedule.parts.graph.end for the graph'),
    ],
)
def test_old_keys_name_the_new_one(hooks, new):
    with pytest.raises(ValueError, match=new):
        refuse_old_keys(Config(dict(default_hooks=hooks)))
    refuse_old_keys(Config(dict(default_hooks=dict(distill=None, loss_schedule=None))))

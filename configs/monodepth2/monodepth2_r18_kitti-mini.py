# A training for a CPU: two drives, 320x96. See configs/README.md for the data it takes.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_mini.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[900], gamma=0.1)]
train_cfg = dict(max_iters=1200, val_interval=300)
auto_scale_lr = dict(base_batch_size=8)

default_hooks = dict(
    checkpoint=dict(interval=300),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
)
# two predictors that know nothing of the picture, in the same table
val_evaluator = dict(
    references=[
        dict(type='constant'),
        dict(type='flat_road', camera_height=1.65, far_caps=(20, 30, 40, 80)),
    ]
)
test_evaluator = val_evaluator

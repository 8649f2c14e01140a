# A training for a CPU: two drives, 320x96. See configs/README.md for the data it takes.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_mini.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]
# in a short training the scale must not settle where near things saturate at min_depth
model = dict(pose_net=dict(translation_scale=0.05), disp_head=dict(initial_disp=0.03))
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=20, start_factor=0.1),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=500, eta_min=2e-6),
]
train_cfg = dict(max_iters=500, val_interval=125)
auto_scale_lr = dict(base_batch_size=8)

default_hooks = dict(
    checkpoint=dict(interval=125),
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

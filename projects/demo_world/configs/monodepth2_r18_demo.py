# Monodepth2 on the demo world in about five minutes of two CPU cores, from random weights, so
# that nothing has to be downloaded.
_base_ = [
    '../../../configs/_base_/models/monodepth2_r18.py',
    './demo_world.py',
    '../../../configs/_base_/schedules/schedule_20e.py',
    '../../../configs/_base_/default_runtime.py',
]
model = dict(backbone=dict(init_cfg=None), pose_net=dict(encoder=dict(init_cfg=None)))

optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[450], gamma=0.1)]
train_cfg = dict(max_iters=600, val_interval=100)

default_hooks = dict(
    checkpoint=dict(interval=100),
    logger=dict(interval=10),
    collapse_monitor=dict(begin=200, interval=25),
    visualization=dict(max_images=4),
)

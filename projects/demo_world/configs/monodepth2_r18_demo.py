# Monodepth2 on the demo world in about five minutes of two CPU cores, from random weights, so
# that nothing has to be downloaded.
_base_ = [
    '../../../configs/_base_/models/monodepth2_r18.py',
    './demo_world.py',
    '../../../configs/_base_/schedules/schedule_20e.py',
    '../../../configs/_base_/default_runtime.py',
]
model = dict(
    backbone=dict(init_cfg=None),
    # in a short training the scale must not settle where near things saturate at min_depth
    pose_net=dict(encoder=dict(init_cfg=None), translation_scale=0.05),
    disp_head=dict(initial_disp=0.1),
    # The camera of this world never stands still and few cars move with it. Far things that are
    # still drawn too near fit worse than the unmoved image: the mask would take them out, and
    # they would stay near.
    losses=dict(photometric=dict(auto_mask=False)),
)

train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=50, start_factor=0.1),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=750, eta_min=5e-6),
]
train_cfg = dict(max_iters=750, val_interval=250)

default_hooks = dict(
    checkpoint=dict(interval=100),
    logger=dict(interval=10),
    # without the auto-mask its share says nothing
    collapse_monitor=dict(
        begin=200,
        interval=25,
        bounds=dict(
            disp_spread=(0.05, 10.0), disp_saturation=(0.0, 0.1), pose_translation=(1e-5, 5.0)
        ),
    ),
    visualization=dict(max_images=4),
)
# the error panels judge the same pixels as the metric
visualizer = dict(protocol='default')

# A training of about five minutes of two CPU cores, from random weights, so that nothing has to be
# downloaded. What the baseline and SCD have in common.
_base_ = [
    '../demo_world.py',
    '../../../../configs/_base_/schedules/schedule_20e.py',
    '../../../../configs/_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=8e-4))
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=50, start_factor=0.1),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=550, eta_min=5e-6),
]
train_cfg = dict(max_iters=550, val_interval=275)

default_hooks = dict(
    checkpoint=dict(interval=100),
    logger=dict(interval=10),
    # without the auto-mask its share says nothing
    collapse_monitor=dict(
        begin=200,
        interval=25,
        bounds=dict(
            disp_spread=(0.05, 10.0),
            disp_saturation=(0.0, 0.1),
            disp_saturation_far=(0.0, 0.9),
            pose_translation=(1e-5, 5.0),
        ),
    ),
    visualization=dict(max_images=4),
)
# the error panels judge the same pixels as the metric
visualizer = dict(protocol='default')

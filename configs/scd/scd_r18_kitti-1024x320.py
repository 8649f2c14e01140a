# The full method at 1024x320.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mono_1024x320.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    distill=dict(
        type='IsomorphicGraphDistillHook',
        begin=6634,  # two epochs
        ramp=6634,
        probe_size=(320, 1024),
    ),
    loss_schedule=dict(
        type='LossScheduleHook',
        losses=dict(structure=dict(begin=6634, ramp=6634), texture=dict(begin=6634, ramp=6634)),
    ),
)

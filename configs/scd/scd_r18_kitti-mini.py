# The full method on a CPU: monodepth2_r18_kitti-mini.py with all parts. The teacher is found
# through MMSCD_DATA, see ../teachers/fpn_r18_road_semantics.py.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mini.py',
    '../_base_/schedules/schedule_mini.py',
    '../_base_/default_runtime.py',
    '../teachers/fpn_r18_road_semantics.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    checkpoint=dict(interval=150),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
    # first the scene: with agreement from the start so short a training settles for smooth depth,
    # which agrees with everything, and what perturbed images teach is learnt within 120 steps
    distill=dict(type='IsomorphicGraphDistillHook', begin=750, ramp=60, probe_size=(96, 320)),
    loss_schedule=dict(
        type='LossScheduleHook',
        losses=dict(structure=dict(begin=750, ramp=60), texture=dict(begin=750, ramp=60)),
    ),
)

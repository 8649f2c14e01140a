# scd_r18_kitti-mini.py at 640x192: two drives, minutes on a GPU. The whole batch is perturbed, and
# the parts begin earlier: chosen on held-out frames, see README.md.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mini_640x192.py',
    '../_base_/schedules/schedule_mini.py',
    '../_base_/default_runtime.py',
    '../teachers/fpn_r18_road_semantics.py',
]
model = dict(losses=dict(texture=dict(samples=1.0)), distiller=dict(teacher={{_base_.teacher}}))
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    checkpoint=dict(interval=150),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
    # first the scene
    distill=dict(type='IsomorphicGraphDistillHook', begin=600, ramp=60),
    loss_schedule=dict(
        type='LossScheduleHook',
        losses=dict(structure=dict(begin=600, ramp=60), texture=dict(begin=600, ramp=60)),
    ),
)

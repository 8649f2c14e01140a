# The full method on stereo pairs: depth is in metres.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_stereo_640x192.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(
    frame_ids=(0, 's'),
    pose_net=None,
    distiller=dict(teacher={{_base_.teacher}}),
)
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    distill=dict(type='IsomorphicGraphDistillHook', begin=6634, ramp=6634),
    loss_schedule=dict(
        type='LossScheduleHook',
        losses=dict(structure=dict(begin=6634, ramp=6634), texture=dict(begin=6634, ramp=6634)),
    ),
)
val_evaluator = dict(protocol='kitti_eigen_stereo')
test_evaluator = val_evaluator
visualizer = dict(protocol='kitti_eigen_stereo')

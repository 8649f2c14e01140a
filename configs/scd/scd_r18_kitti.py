# The full method: ResNet-18, monocular, 640x192, batch 12, 20 epochs. Another teacher: another file
# of ../teachers in the list, or `tools/train.py CONFIG --teacher ../teachers/X.py`.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mono_640x192.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
# first the scene: the parts come after two epochs, over two epochs
default_hooks = dict(
    distill=dict(type='IsomorphicGraphDistillHook', begin=6634, ramp=6634),
    loss_schedule=dict(
        type='LossScheduleHook',
        losses=dict(structure=dict(begin=6634, ramp=6634), texture=dict(begin=6634, ramp=6634)),
    ),
)

# The full method at 1024x320.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mono_1024x320.py',
    '../_base_/schedules/scd_20e.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))
default_hooks = dict(distill=dict(probe_size=(320, 1024)))

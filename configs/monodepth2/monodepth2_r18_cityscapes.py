# Training on Cityscapes video at 512x192, as many iterations as on KITTI; not tuned, not run.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]

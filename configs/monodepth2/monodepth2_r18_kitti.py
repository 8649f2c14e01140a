# The published recipe: ResNet-18, monocular, 640x192, batch 12, 20 epochs.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_mono_640x192.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]

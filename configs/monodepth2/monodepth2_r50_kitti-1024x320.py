_base_ = [
    '../_base_/models/monodepth2_r50.py',
    '../_base_/datasets/kitti_raw_mono_1024x320.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]

# monodepth2_r18_kitti-mini.py at 640x192: two drives, minutes on a GPU.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_mini_640x192.py',
    '../_base_/schedules/schedule_mini.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(
    checkpoint=dict(interval=150),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
)

# A training for a CPU: two drives, 320x96. See configs/README.md for the data it takes.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_mini.py',
    '../_base_/schedules/schedule_mini.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(
    checkpoint=dict(interval=150),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
)

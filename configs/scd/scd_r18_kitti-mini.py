# The full method on a CPU: monodepth2_r18_kitti-mini.py with all parts. The teacher is found
# through MMSCD_DATA, see ../teachers/fpn_r18_road_semantics.py.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mini.py',
    '../_base_/schedules/scd_mini.py',
    '../teachers/fpn_r18_road_semantics.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))
default_hooks = dict(distill=dict(probe_size=(96, 320)))

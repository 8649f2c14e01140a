# scd_r18_kitti-mini.py at 640x192: two drives, minutes on a GPU. The whole batch is perturbed, and
# the parts begin earlier: chosen on held-out frames, see docs/en/experiments.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mini_640x192.py',
    '../_base_/schedules/scd_mini.py',
    '../teachers/fpn_r18_road_semantics.py',
]
model = dict(losses=dict(texture=dict(samples=1.0)), distiller=dict(teacher={{_base_.teacher}}))
default_hooks = dict(schedule=dict(begin=600))

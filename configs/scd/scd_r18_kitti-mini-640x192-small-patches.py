# scd_r18_kitti-mini-640x192.py with the mix of ../_base_/models/scd_small_patches.py, from 750 on.
_base_ = ['./scd_r18_kitti-mini-640x192.py', '../_base_/models/scd_small_patches.py']
model = dict(
    losses=dict(texture={{_base_.small_patches.texture}}),
    distiller=dict(losses={{_base_.small_patches.graph}}),
)
default_hooks = dict(schedule=dict(begin=750))
